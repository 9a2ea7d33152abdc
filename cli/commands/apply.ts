/** `evenkeel apply`: declares what files say, all or nothing, and on request waits until it is so on the nodes. */
import { type Command, InvalidArgumentError } from 'commander';
import { keyOf } from '../../protocol/resource.ts';
import type { ApplyAnswer } from '../../protocol/views.ts';
import { clean } from '../clean.ts';
import { renderedDiffs, resourceDiffs } from '../diffs.ts';
import { type Documents, readDocuments } from '../documents.ts';
import { type ExitName, exits } from '../exit-codes.ts';
import { Ended, exitCodeOf, explain, UsageError } from '../failure.ts';
import { kindOf } from '../kinds.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { seconds } from '../time.ts';
import { type Mine, waitConverged } from '../wait.ts';
import { waitedText } from '../wait-look.ts';

interface ApplyOptions {
  filename: string[];
  dryRun: boolean;
  prune: string[];
  force: boolean;
  wait?: true | number;
}

const WAIT_SECONDS = 120;

export const collect = (value: string, before: string[]): string[] => [...before, value];

export function addApply(program: Command): void {
  program
    .command('apply')
    .description('declare what the files say: all of it or nothing')
    .option(
      '-f, --filename <path>',
      'a file, a folder, or - for standard input; may be repeated',
      collect,
      [],
    )
    .option('--dry-run', 'only say what would change', false)
    .option(
      '--prune <kind>',
      'delete what is declared of this kind and is not in the files; may be repeated',
      collect,
      [],
    )
    .option('--force', 'carry out removals that the guards refuse', false)
    .option(
      '--wait [seconds]',
      `return when every node is as declared (at most ${WAIT_SECONDS} s, or as said)`,
      waitSeconds,
    )
    .addHelpText('after', HELP)
    .action(async (options: ApplyOptions, command: Command) => {
      // Read first: what is wrong here is told without a manager.
      const read = readDocuments(options.filename);
      await apply(read, options, sessionOf(command));
    });
}

const HELP = `
Without --wait it returns once the manager has accepted everything, durably: the nodes follow within seconds, and
\`evenkeel nodes\` shows how far they are. Documents that are declared already and not in the files stay (see --prune).

Examples:
  evenkeel apply -f sites.yaml -f services.yaml
  evenkeel apply -f cluster/ --prune Site      exactly the sites of this folder, no others
  evenkeel get site example.org -o yaml | sed s/32m/64m/ | evenkeel apply -f -
`;

function waitSeconds(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  throw new InvalidArgumentError('use a number of seconds');
}

async function apply(read: Documents, options: ApplyOptions, session: Session): Promise<void> {
  const { client } = session;
  const wait = options.dryRun ? undefined : options.wait;
  const since = wait === undefined ? '' : (await client.call('events', { query: { limit: 1 } })).next;
  const started = performance.now();
  const answer = await sendDocuments(session, read, options);
  const accepted = performance.now() - started;
  for (const warning of answer.warnings) session.warn(warning);
  if (wait === undefined) return session.print(answer, () => told(answer, accepted, session));
  session.say(told(answer, accepted, session));
  const limit = (wait === true ? WAIT_SECONDS : wait) * 1000;
  const waited = await withProgress('waiting for the nodes', (progress) =>
    waitConverged(client, { since, limit, progress, mine: mineOf(read, answer) }),
  );
  const { received, converged, away, passes } = waited;
  const unfinished = waited.unfinished.map(({ name }) => name);
  session.print({ ...answer, timing: { accepted, received, converged }, passes, unfinished, away }, () =>
    waitedText(waited, session.paint),
  );
  if (converged === undefined) throw new Ended('unfinished');
}

function mineOf({ documents }: Documents, { changes, revision }: ApplyAnswer): Mine {
  const changed = changes.filter(({ op }) => op !== 'unchanged').map(({ kind }) => kind);
  return { keys: new Set(documents.map(keyOfDocument)), changed: new Set(changed), revision };
}

const keyOfDocument = (document: unknown): string => keyOf(document as { kind: string; name: string });

/** Sends the documents; a refusal is told with the lines of the files, before it ends the command. */
export async function sendDocuments(
  session: Session,
  { documents, place }: Documents,
  { dryRun, prune, force }: Pick<ApplyOptions, 'dryRun' | 'prune' | 'force'>,
): Promise<ApplyAnswer> {
  const body = { documents, dryRun, force, prune: prune.map(prunable) };
  const title = `${dryRun ? 'comparing' : 'applying'} ${documents.length} documents`;
  try {
    return await withProgress(title, () => session.client.call('apply', { body }));
  } catch (err) {
    for (const line of explain(err, place)) process.stderr.write(clean(`${line}\n`));
    throw new Ended(exitNameOf(err));
  }
}

export const exitNameOf = (err: unknown): ExitName => {
  const code = exitCodeOf(err);
  return (Object.keys(exits) as ExitName[]).find((name) => exits[name].code === code) ?? 'internal';
};

function prunable(text: string): 'Site' | 'VirtualService' | 'Storage' {
  const kind = kindOf(text);
  if (kind === 'Site' || kind === 'VirtualService' || kind === 'Storage') return kind;
  throw new UsageError(
    `${kind} cannot be pruned`,
    'only Site, VirtualService and Storage can; use `evenkeel delete`',
  );
}

const SHOWN = 10;

function told(answer: ApplyAnswer, milliseconds: number, { paint }: Session): string {
  const { created, updated, deleted, unchanged, revision, dryRun, changes } = answer;
  const counts = [
    [created, 'created'],
    [updated, 'updated'],
    [deleted, 'deleted'],
    [unchanged, 'unchanged'],
  ] as const;
  const summary = counts
    .filter(([count]) => count > 0)
    .map(([count, word]) => `${count} ${word}`)
    .join(', ');
  if (dryRun)
    return [...resourceDiffs(answer, paint), ...renderedDiffs(answer, paint), `would be: ${summary}`].join(
      '\n',
    );
  const lines = changes.slice(0, SHOWN).map(({ kind, name, op }) => `${kind}/${name} ${op}d`);
  const more = created + updated + deleted - lines.length;
  return [
    ...lines,
    ...(more > 0 ? [`and ${more} more`] : []),
    `${summary || 'nothing to do'}; revision ${revision}, accepted in ${seconds(milliseconds)}`,
  ].join('\n');
}
