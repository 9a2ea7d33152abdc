/** `evenkeel queue`: what waits on each node and why, and the operator's words about it. */
import type { Command } from 'commander';
import { checklist } from '../../common/findings.ts';
import type { QueryOf } from '../../protocol/endpoints.ts';
import type { QueueView } from '../../protocol/queue-api.ts';
import { refuseGiven } from '../given-options.ts';
import { parametersIn } from '../parameters.ts';
import { historyTable, queuesTable } from '../queue-look.ts';
import { type Session, sessionOf } from '../session.ts';
import { collect } from './apply.ts';

export function addQueue(program: Command): void {
  const queue = program
    .command('queue')
    .description('what waits on each node, and why: retry, skip, cancel, pause, resume, diagnose')
    .argument('[node]', 'one queue, with what was in it')
    .option('--limit <count>', 'so many commands of it', Number, 30)
    .option('--state <state>', 'only those that ended or stand so: succeeded, skipped, failed ...')
    .option('--action <name>', 'only those of this action')
    .addHelpText('after', HELP)
    .action(async (node: string | undefined, query: History, command: Command) => {
      const session = sessionOf(command);
      if (node !== undefined) return one(node, query, session);
      refuseGiven(command, 'evenkeel queue NODE');
      return all(session);
    });
  addRetry(queue);
  addWithReason(queue, 'skip', 'queueSkip', 'go on without its first command, or that of --run');
  addWithReason(
    queue,
    'cancel',
    'queueCancel',
    'end its first command, or that of --run, also while it runs',
  );
  addPause(queue);
  addDiagnose(queue);
}

const HELP = `
A queue that is halted tries its first command again every five minutes, and goes on by itself when that succeeds.

Examples:
  evenkeel queue web2
  evenkeel queue retry web2 --set packages=htop
  evenkeel queue skip web2 --reason "done by hand"
`;

type History = Partial<QueryOf<'queue'>>;

async function all(session: Session): Promise<void> {
  const { items } = await session.client.call('queues');
  session.print(items, () => (items.length === 0 ? 'there are no nodes' : queuesTable(items, session)));
}

async function one(name: string, query: History, session: Session): Promise<void> {
  const found = await session.client.call('queue', { params: { name }, query });
  session.print(found, () =>
    [
      queuesTable([found.queue], session),
      ...(found.commands.length === 0 ? [] : ['', historyTable(found.commands, session)]),
    ].join('\n'),
  );
}

const printed = (queue: QueueView, session: Session) =>
  session.print(queue, () => queuesTable([queue], session));

function addRetry(queue: Command): void {
  queue
    .command('retry')
    .description('try its first command again now')
    .argument('<node>')
    .option('--set <name=value>', 'with another value; may be said again', collect, [])
    .action(async (name: string, { set }: { set: string[] }, command: Command) => {
      const session = sessionOf(command);
      const parameters = parametersIn(set);
      const first = await headOn(name, session);
      const body = { parameters, ...(first === null ? {} : { run: first.run }) };
      const after = await session.client.call('queueRetry', { params: { name }, body });
      if (after.paused !== null)
        session.note(
          `the queue of ${name} is paused, and tries nothing before: evenkeel queue resume ${name}`,
        );
      printed(after, session);
    });
}

function addWithReason(
  queue: Command,
  word: 'skip' | 'cancel',
  call: 'queueSkip' | 'queueCancel',
  description: string,
): void {
  const made = queue
    .command(word)
    .description(description)
    .argument('<node>')
    .option('--run <run>', 'that of this run');
  if (word === 'skip') made.requiredOption('--reason <text>', 'why, for whoever looks later');
  else made.option('--reason <text>', 'why, for whoever looks later', '');
  made.action(async (name: string, { run, reason }: { run?: string; reason: string }, command: Command) => {
    const session = sessionOf(command);
    const first = await headOn(name, session);
    const meant = run ?? first?.run;
    const body = { reason, ...(meant === undefined ? {} : { run: meant }) };
    const after = await session.client.call(call, { params: { name }, body });
    const what = meant === first?.run ? `${first?.action} (${meant})` : meant;
    session.note(`${what} on ${name} ${word === 'skip' ? 'is skipped' : 'is cancelled'}`);
    printed(after, session);
  });
}

/** The first as it is seen now: what is first by the time the word arrives may be another. */
async function headOn(name: string, session: Session): Promise<QueueView['head']> {
  const { queue } = await session.client.call('queue', { params: { name }, query: { limit: 1 } });
  return queue.head;
}

function addPause(queue: Command): void {
  queue
    .command('pause')
    .description('begin nothing more on a node; what runs goes on')
    .argument('<node>')
    .requiredOption('--reason <text>', 'why, for whoever looks later')
    .action(async (name: string, { reason }: { reason: string }, command: Command) => {
      const session = sessionOf(command);
      printed(await session.client.call('queuePause', { params: { name }, body: { reason } }), session);
    });
  queue
    .command('resume')
    .description('end a pause')
    .argument('<node>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      printed(await session.client.call('queueResume', { params: { name } }), session);
    });
}

function addDiagnose(queue: Command): void {
  queue
    .command('diagnose')
    .description('the checks that fit its first command, made on the node now')
    .argument('<node>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const found = await session.client.call('queueDiagnose', { params: { name } });
      if (found.all) session.note(`${found.action} names no checks that fit: these are all of them`);
      session.print(found, () => `${found.action} on ${name}\n${checklist(found.checks, session.paint)}`);
    });
}
