/** `evenkeel setup`: from a manager to a cluster that serves, by seven questions, a file or flags; and back. */
import { basename, dirname } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { makeFolder } from '../../common/files.ts';
import { holderOf, takeLock } from '../../common/lock.ts';
import { milliseconds } from '../../common/units.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { balancers } from '../../protocol/resources/cluster.ts';
import { clean } from '../clean.ts';
import { readDocuments } from '../documents.ts';
import { Ended, explain, UsageError } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { type Answers, EXAMPLE, type Given, readAnswers } from '../setup/answers.ts';
import { isYesTo, terminalAsker } from '../setup/asker.ts';
import { documentsOf } from '../setup/documents.ts';
import { answersOfFlags, type Flags, nodeFlag } from '../setup/flags.ts';
import { gather } from '../setup/gather.ts';
import { isOpen, type Keeper, keeperFor, unwritten } from '../setup/kept.ts';
import { lookAround, placeOf, type World } from '../setup/plan.ts';
import { settled } from '../setup/settled.ts';
import { setUp } from '../setup/setup.ts';
import { type InTheWay, planUndo, undo } from '../setup/undo.ts';
import { clockTime } from '../time.ts';
import { isYes } from '../yes.ts';
import { exitNameOf } from './apply.ts';
import { runSmoke } from './smoke.ts';

interface Options extends Flags {
  file?: string;
  example: boolean;
  dryRun: boolean;
  undo: boolean;
  yes: boolean;
  force: boolean;
  newLines: boolean;
  smoke: boolean;
  wait?: number;
}

export function addSetup(program: Command): void {
  const command = program
    .command('setup')
    .description('make a cluster of this manager by seven questions, a file or flags; ends with a smoke test')
    .option('--file <file>', 'the answers as YAML; - is standard input')
    .option('--example', 'print such a file, and nothing else', false)
    .option('--address <address>', 'the cluster address: where nodes reach the manager')
    .option('--network <network>', 'the cluster network, such as 10.0.0.0/24')
    .option('--public-network <network>', 'where visitors come in, when that is another one')
    .option('--node <name:address:roles>', 'such as web1:10.0.0.11:web,mail; may be repeated', nodeFlag, [])
    .addOption(new Option('--balancer <driver>', 'who spreads requests').choices(balancers))
    .addOption(new Option('--forwarding <way>', 'with lvs and ipvsadm').choices(['DR', 'NAT', 'TUN']))
    .option('--card <card>', 'the network card of the director that gets the address of visitors')
    .option('--sync-card <card>', 'the card on which directors tell each other of connections')
    .option('--vip <address>', 'the address that visitors use')
    .option('--http <port>', 'or PORT:PORT-AT-NODES; 80 when none is said')
    .option('--https <port>', 'the same for sites with tls')
    .option('--storage <place>', 'none, node:NAME:EXPORT or ADDRESS:EXPORT')
    .option('--mountpoint <folder>', 'where nodes mount it')
    .option('--link <folder>', 'a link that leads to the mountpoint')
    .option('--approve-joins', 'each box that joins waits until somebody accepts it')
    .option('--no-approve-joins', 'an invitation is enough')
    .option(
      '--dry-run',
      'show the summary and every change, or what --undo would do, and change nothing',
      false,
    )
    .option('--wait <duration>', 'how long boxes may take to join, such as 30m', waitFlag)
    .option(
      '--new-lines',
      'show lines for boxes that are invited already; the earlier ones of this setup are no longer good',
      false,
    )
    .option('--no-smoke', 'leave the smoke test out')
    .option('--yes', 'ask nothing', false)
    .option(
      '--force',
      'carry out what the guards refuse; with --undo also where others have changed it since',
      false,
    )
    .option('--undo', 'take back what the last setup declared', false)
    .addHelpText('after', HELP);
  command.action(async (options: Options) => {
    if (options.example) process.stdout.write(EXAMPLE);
    else await setup(options, sessionOf(command));
  });
}

const HELP = `
Interrupted at any moment it goes on when it is run again, or is taken back by --undo. docs/setup.md has the questions.

Examples:
  evenkeel setup                                       asks
  evenkeel setup --example >setup.yaml                 to be filled in
  evenkeel setup --file setup.yaml --dry-run           what it would declare
  evenkeel setup --file setup.yaml --yes --wait 30m    without a terminal
`;

function waitFlag(text: string): number {
  if (/^[0-9]{1,6}(s|m|h)$/.test(text)) return milliseconds(text);
  throw new InvalidArgumentError('use a whole number and s, m or h, such as 30m');
}

/** Somebody who sits there pastes lines on boxes meanwhile. */
const PATIENCE = '30m';

async function setup(options: Options, session: Session): Promise<void> {
  const given = { file: fileAnswers(options.file), flags: checked(answersOfFlags(options)) };
  const { cluster } = await session.client.call('state');
  const keeper = keeperFor(cluster, process.env);
  const work = async (book: Keeper): Promise<void> => {
    const world = await lookAround(session.client);
    const kept = book.read();
    if (kept?.declaring !== undefined) await book.write(await settled(session.client, kept));
    await (options.undo
      ? takeBack(session, { keeper: book, world }, options)
      : declare(session, { keeper: book, world, given }, options));
  };
  await (options.dryRun ? work(unwritten(keeper)) : alone(session, keeper, options, () => work(keeper)));
}

/** Two of them at once would each write down a way back of their own. */
async function alone(
  session: Session,
  keeper: Keeper,
  { undo }: Options,
  work: () => Promise<void>,
): Promise<void> {
  const [folder, use] = [dirname(keeper.file), basename(keeper.file, '.json')];
  await makeFolder(folder, 0o700);
  const release = await takeLock(use, folder);
  if (release === undefined) {
    const holder = (await holderOf(use, folder)) ?? 'one that has just ended';
    throw new EvenkeelError(
      'busy',
      `another setup of this cluster is under way here, process ${holder}; wait until it has ended, or end it`,
    );
  }
  try {
    const damage = await keeper.setAside();
    if (damage !== undefined && undo)
      throw new UsageError(
        damage,
        'what it declared can be taken back with evenkeel delete and evenkeel apply',
      );
    if (damage !== undefined) session.warn(`${damage}; this begins with what is declared`);
    await work();
  } finally {
    await release();
  }
}

interface Stage {
  keeper: Keeper;
  world: World;
}

async function declare(
  session: Session,
  { keeper, world, given }: Stage & { given: Given },
  options: Options,
): Promise<void> {
  const isTerminal = process.stdin.isTTY && process.stderr.isTTY && options.file !== '-' && !options.yes;
  const { force, dryRun, newLines } = options;
  const kept = keeper.read();
  if (kept !== undefined && isOpen(kept) && !isTerminal)
    session.note(`going on with the setup that was begun at ${clockTime(kept.began)}`);
  const answers = await gather({
    ...{ client: session.client, world, keeper, given, isTerminal, force, dryRun },
    note: session.note,
  }).catch((err: unknown) => ended(err, (path) => path));
  const isTried = options.smoke && !dryRun && (await wantsSmokeTest(world, keeper, isTerminal));
  const place = { planned: documentsOf(answers, world) };
  await setUp(
    session,
    { answers, keeper },
    {
      ...{ force, dryRun, newLines, place },
      wait: options.wait ?? (isTerminal ? milliseconds(PATIENCE) : 0),
      confirm: async (question) => options.yes || isYes(question, 'say --yes, or --dry-run to see it only'),
      smoke: isTried ? () => runSmoke(session) : undefined,
    },
  ).catch((err: unknown) => refused(err, (path) => placeOf(place.planned)(path)));
}

/** Where a setup is finished it was tried, and it is asked whether to try it again. */
async function wantsSmokeTest({ joined }: World, keeper: Keeper, isTerminal: boolean): Promise<boolean> {
  const kept = keeper.read();
  if (!isTerminal || joined.size === 0 || kept === undefined || isOpen(kept)) return true;
  const asker = terminalAsker(() => process.exit(130));
  try {
    return await isYesTo(asker, 'run the smoke test?', true);
  } finally {
    asker.close();
  }
}

function fileAnswers(file: string | undefined): Partial<Answers> {
  if (file === undefined) return {};
  const { documents, place } = readDocuments([file]);
  if (documents.length > 1)
    throw new UsageError(`${file} holds ${documents.length} documents`, 'write the answers as one');
  return checked(documents[0], (path) => place(`documents/0/${path}`).replace(' document 1', ''));
}

/** @throws Ended when all that is wrong was said */
function checked(input: unknown, place = (path: string) => path): Partial<Answers> {
  const read = readAnswers(input);
  if (read.ok) return read.answers;
  return ended(new EvenkeelError('invalid-document', 'the answers do not fit', read), place);
}

/** What is wrong with the answers is said with its place, before anything was sent. */
function ended(err: unknown, place: (path: string) => string): never {
  if (!(err instanceof EvenkeelError) || err.problems.length === 0) throw err;
  for (const line of explain(err, place)) process.stderr.write(clean(`${line}\n`));
  throw new Ended('usage');
}

/** What the manager refuses, in the words of the answers. */
function refused(err: unknown, place: (path: string) => string): never {
  if (!(err instanceof EvenkeelError) || err.problems.length === 0) throw err;
  for (const line of explain(err, place)) process.stderr.write(clean(`${line}\n`));
  throw new Ended(exitNameOf(err));
}

async function takeBack(
  session: Session,
  { keeper, world }: Stage,
  { yes, force, dryRun }: Options,
): Promise<void> {
  const kept = keeper.read();
  if (kept === undefined) {
    session.print(
      { done: [], left: [] },
      () => 'nothing to take back: no setup of this cluster was made from here',
    );
    return;
  }
  const plan = await planUndo(session.client, kept, world, force);
  for (const line of plan.lines) session.say(`  ${line}`);
  const { left } = plan;
  if (left.length > 0) {
    session.print({ done: [], left }, () => [...left.map((one) => leftText(one, session)), LEFT].join('\n'));
    throw new Ended('refused');
  }
  if (dryRun) return session.print({ done: [], left }, () => 'nothing was taken back: this was a dry run');
  const question = plan.lines.length === 0 ? 'forget the answers?' : 'take this back?';
  if (!yes && !(await isYes(question, 'say --yes'))) return;
  const done = await withProgress('taking back', () => undo(session.client, plan)).catch((err: unknown) =>
    refused(err, (path) => path),
  );
  await keeper.remove();
  for (const one of plan.invites.unclear) session.warn(one);
  session.print({ done, left }, () => [...done, 'the setup is taken back'].join('\n'));
}

const LEFT =
  'nothing was taken back: all of it can be, or nothing; --force takes also what was changed since, and what the guards refuse';

const leftText = ({ resource, why, fix }: InTheWay, { paint }: Session): string =>
  [paint('warn', `${resource} ${why}`), ...(fix === undefined ? [] : [`    ${fix}`])].join('\n');
