/** `evenkeel node`: what an operator says of one node, and how a box becomes one. */
import { type Command, InvalidArgumentError } from 'commander';
import { messageOf } from '../../protocol/errors.ts';
import type { NodeView } from '../../protocol/views.ts';
import { Ended } from '../failure.ts';
import { nodePage, operatorWords } from '../node-look.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { addJoining } from './node-join.ts';

export function addNode(program: Command): void {
  const node = program
    .command('node')
    .description(
      'one node: show, invite and trust it, drain, undrain, maintenance, hold, release, retry, remove',
    )
    .addHelpText('after', HELP);
  addShow(node);
  addJoining(node);
  addWord(
    node,
    'drain',
    'no new connections; it leaves its pools when the old ones are gone',
    'it leaves at the latest',
  );
  addWord(node, 'maintenance', 'out of all pools, without alarms', 'it ends by itself');
  addWord(node, 'hold', 'change nothing on it any more', 'it ends by itself');
  addPlain(node, 'undrain', 'end a drain or maintenance');
  addPlain(node, 'release', 'end a hold');
  addRetry(node);
  addRemove(node);
}

const HELP = `
Examples:
  evenkeel node invite --role web --name n4        prints what the new box runs
  evenkeel node waiting                            boxes that somebody has to accept or to trust
  evenkeel node drain n1 --reason "kernel update" --for 30m
  evenkeel node undrain n1
`;

function addShow(node: Command): void {
  node
    .command('show')
    .description('everything that is known of it')
    .argument('<name>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const view = await session.client.call('node', { params: { name } });
      session.print(view, () => nodePage(view, session));
    });
}

type Word = 'drain' | 'maintenance' | 'hold';
type Plain = 'undrain' | 'release';

interface WordOptions {
  reason: string;
  for?: string;
}

function addWord(node: Command, word: Word, description: string, whenOver: string): void {
  node
    .command(word)
    .description(description)
    .argument('<name>')
    .option('--reason <text>', 'why, for whoever looks next', '')
    .option('--for <duration>', `such as 30m or 2h: ${whenOver} after it`, deadline)
    .action(async (name: string, { reason, for: until }: WordOptions, command: Command) => {
      const session = sessionOf(command);
      const body = { reason, ...(until === undefined ? {} : { deadline: until }) };
      printed(await session.client.callWarned(word, { params: { name }, body }), session);
    });
}

function addPlain(node: Command, word: Plain, description: string): void {
  node
    .command(word)
    .description(description)
    .argument('<name>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      printed(await session.client.callWarned(word, { params: { name } }), session);
    });
}

function printed({ answer, warnings }: { answer: NodeView; warnings: string[] }, session: Session): void {
  for (const warning of warnings) session.warn(warning);
  session.print(answer, () => standing(answer));
}

/** What stands declared of the node now. How far it has followed is for `nodes` and `pools` to tell, a moment later. */
function standing(node: NodeView): string {
  const said = operatorWords(node).map(([word, why]) => `${word}: ${why}`);
  return `${node.name} is ${[node.state, ...said].join('; ')}`;
}

function addRetry(node: Command): void {
  node
    .command('retry')
    .description('try what is held back or quarantined again, now')
    .argument('[name]', 'without it: every node that holds something back')
    .action(async (name: string | undefined, _: object, command: Command) => {
      const session = sessionOf(command);
      if (name === undefined) return retryAll(session);
      const answer = await withProgress(`asking ${name}`, () =>
        session.client.call('retry', { params: { name } }),
      );
      session.print(answer, () => `${name} tries again; \`evenkeel node show ${name}\` shows how it ends`);
    });
}

const wellEnded = new Set(['unchanged', 'changed', 'corrected']);

/** Every node that holds something back is asked, also where another one does not answer. */
async function retryAll({ client, print, warn }: Session): Promise<void> {
  const { items } = await client.call('nodes');
  const names = items
    .filter(({ units }) => units.some(({ held, result }) => held.length > 0 || !wellEnded.has(result)))
    .map((view) => view.name);
  const answers = await withProgress(`asking ${names.length} nodes`, () =>
    Promise.allSettled(names.map((name) => client.call('retry', { params: { name } }))),
  );
  const refusals = answers.flatMap((answer) =>
    answer.status === 'rejected' ? [messageOf(answer.reason)] : [],
  );
  const asked = names.filter((_, at) => answers[at]?.status === 'fulfilled');
  for (const refusal of refusals) warn(refusal);
  print({ asked }, () => {
    if (names.length === 0) return 'no node holds anything back';
    return asked.length === 0 ? '' : `${asked.join(', ')} try again; \`evenkeel nodes\` shows how it ends`;
  });
  if (refusals.length > 0) throw new Ended('unreachable');
}

function addRemove(node: Command): void {
  node
    .command('remove')
    .description('remove it, dead or alive; its certificate opens nothing any more')
    .argument('<name>')
    .option('--force', 'also where data or services hang on it', false)
    .action(async (name: string, { force }: { force: boolean }, command: Command) => {
      const session = sessionOf(command);
      const asked = { params: { name }, query: { force } };
      const { answer, warnings } = await session.client.callWarned('removeNode', asked);
      for (const warning of warnings) session.warn(warning);
      session.print(answer, () => `Node/${name} removed; revision ${answer.revision}`);
    });
}

const UNITS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The moment that lies this far ahead. */
function deadline(text: string): string {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const size = UNITS[unit];
  if (amount === undefined || size === undefined)
    throw new InvalidArgumentError('use a number and s, m, h or d, such as 30m');
  return new Date(Date.now() + Number(amount) * size).toISOString();
}
