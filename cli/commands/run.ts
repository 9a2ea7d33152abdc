/** `evenkeel run` and `runs`: having an action done on nodes, and watching it. */
import { type Command, InvalidArgumentError } from 'commander';
import { milliseconds } from '../../common/units.ts';
import type { AnswerOf, QueryOf } from '../../protocol/endpoints.ts';
import type { Rolling } from '../../protocol/queue.ts';
import type { RunView } from '../../protocol/queue-api.ts';
import { UsageError } from '../failure.ts';
import { refuseGiven } from '../given-options.ts';
import { filesIn, parametersIn } from '../parameters.ts';
import { countsText, nodesTable, optionsText, runsTable, stoppedText } from '../queue-look.ts';
import { type Session, sessionOf } from '../session.ts';
import { collect } from './apply.ts';
import { sayBehind, watched } from './watch.ts';

interface RunOptions {
  on: string;
  fromFile: string[];
  jitter?: number;
  expires?: number;
  rolling?: string | true;
  drain?: string | true;
  stopAfter?: number;
  watch: boolean;
}

export function addRun(program: Command): void {
  program
    .command('run')
    .description('have an action done, on one node or on many, each in its own order')
    .argument('<action>', 'as `evenkeel actions` names it')
    .argument('[values...]', 'its parameters, name=value; a list with commas')
    .requiredOption('--on <selector>', 'all, a role, or names with commas between')
    .option(
      '--from-file <name=path>',
      'a parameter whose value is in a file, - is standard input: a secret in the arguments is seen by all who list processes',
      collect,
      [],
    )
    .option('--jitter <duration>', 'spread the beginnings over this time, such as 30s', duration)
    .option('--expires <duration>', 'what has not begun by then never does', duration)
    .option(
      '--rolling [size]',
      'a few at a time, the next when those are well: how many, or a share such as 25%',
    )
    .option(
      '--drain [duration]',
      'with --rolling: out of its pools before, and back after; its visitors have 30s to end',
    )
    .option('--stop-after <count>', 'with --rolling: begin on no other node after so many that failed', count)
    .option('--watch', 'see what every node says, until all is over; Ctrl-C only stops looking', false)
    .addHelpText('after', HELP)
    .action(async (action: string, given: string[], options: RunOptions, command: Command) => {
      const session = sessionOf(command);
      const { on, jitter = 0, expires, watch, fromFile } = options;
      const begun = await session.client.call('runStart', {
        body: {
          ...{ action, on, jitter, parameters: { ...parametersIn(given), ...filesIn(fromFile, given) } },
          ...(expires === undefined ? {} : { expires: new Date(Date.now() + expires).toISOString() }),
          ...rollingIn(options),
        },
      });
      if (watch) return watched(begun.run, session);
      await sayBehind(begun.run, session);
      session.print(begun, () =>
        [
          `${action} on ${on}: ${countsText(begun)}; run ${begun.run}`,
          `evenkeel runs ${begun.run} shows it, with --watch what it says; evenkeel queue shows what waits`,
        ].join('\n'),
      );
    });
}

const HELP = `
A node that fails halts its own queue alone: the same is tried again every five minutes, and evenkeel queue says why.

Examples:
  evenkeel run service-restart service=dovecot --on web --watch
  evenkeel run package-install packages=htop,strace --on all --jitter 2m
  evenkeel run reboot --on web --rolling 25% --drain --stop-after 2 --expires 4h --watch
`;

export function addRuns(program: Command): void {
  program
    .command('runs')
    .description('what was asked to be done; one run with its nodes, and what they said')
    .argument('[run]')
    .option('--limit <count>', 'so many of them', Number, 50)
    .option('--state <state>', 'only those with a command that stands so: failed, waiting, skipped ...')
    .option('--action <name>', 'only those of this action')
    .option('--before <place>', 'those before: the last line of the page before says where', Number)
    .option('--watch', 'what its nodes say, until all is over', false)
    .option('--again', 'the same once more, on the nodes where it was skipped, cancelled or expired', false)
    .option(
      '--undo',
      'have its action taken back, on the nodes where it changed something; with --again also a second time',
      false,
    )
    .option('--cancel', 'end it on every node where it is not over, also where it runs', false)
    .option('--reason <why>', 'with --cancel: kept with what it ends', '')
    .option('--said <node>', 'every try of a node, with all that it said')
    .action(async (run: string | undefined, options: RunsOptions, command: Command) => {
      const session = sessionOf(command);
      refuseMixed(run, options);
      if (run !== undefined)
        refuseGiven(command, 'evenkeel runs lists all of them', ['limit', 'state', 'action', 'before']);
      if (run === undefined) return list(options, session);
      if (options.undo) return undo(run, options, session);
      if (options.again) return again(run, options, session);
      if (options.cancel) return cancel(run, options.reason, session);
      if (options.said !== undefined) return tries(run, options.said, session);
      if (options.watch) return watched(run, session);
      const found = await sayBehind(run, session);
      session.print(found, () =>
        [
          runsTable([found.run], session),
          ...[optionsText(found.run), undoText(found)].filter((text) => text !== ''),
          '',
          nodesTable(found.run, found.commands, session),
          ...stoppedText(found),
        ].join('\n'),
      );
    });
}

/** What it takes back, or what has taken it back. */
const undoText = ({ run: { options }, undoneBy }: AnswerOf<'run'>): string =>
  [
    ...(options.undoes === undefined ? [] : [`takes back ${options.undoes}`]),
    ...(undoneBy.length === 0 ? [] : [`taken back by ${undoneBy.join(', ')}`]),
  ].join('; ');

interface RunsOptions extends Partial<QueryOf<'runs'>> {
  watch: boolean;
  again: boolean;
  undo: boolean;
  cancel: boolean;
  reason: string;
  said?: string;
}

/** @throws UsageError for words that do not go together: none is passed over in silence */
function refuseMixed(
  run: string | undefined,
  { again, undo, cancel, watch, reason, said }: RunsOptions,
): void {
  const verbs = Object.entries({ again: again && !undo, undo, cancel, said: said !== undefined });
  const given = verbs.flatMap(([name, isGiven]) => (isGiven ? [`--${name}`] : []));
  const [first, second] = [...given, ...(watch && given.length === 0 ? ['--watch'] : [])];
  if (run === undefined && first !== undefined)
    throw new UsageError(`${first} is about one run`, `evenkeel runs RUN ${first}; evenkeel runs lists them`);
  if (second !== undefined) throw new UsageError(`${first} and ${second} at once`, 'say one of them');
  if (reason !== '' && !cancel)
    throw new UsageError('--reason is for --cancel', 'leave it out, or add --cancel');
}

const again = async (run: string, options: RunsOptions, session: Session): Promise<void> =>
  begun(await session.client.call('runAgain', { params: { run } }), options, session);

const undo = async (run: string, options: RunsOptions, session: Session): Promise<void> =>
  begun(
    await session.client.call('runUndo', { params: { run }, body: { again: options.again } }),
    options,
    session,
  );

/** A run that an earlier one gave. */
async function begun(run: RunView, { watch }: RunsOptions, session: Session): Promise<void> {
  if (watch) return watched(run.run, session);
  await sayBehind(run.run, session);
  session.print(run, () => `${run.action} on ${run.on}: ${countsText(run)}; run ${run.run}`);
}

async function cancel(run: string, reason: string, session: Session): Promise<void> {
  const ended = await session.client.call('runCancel', { params: { run }, body: { reason } });
  session.print(
    ended,
    () =>
      `${ended.action} on ${ended.on}: ${countsText(ended)}${ended.counts.running === undefined ? '' : '; what runs is being stopped'}`,
  );
}

async function list({ limit, state, action, before }: RunsOptions, session: Session): Promise<void> {
  const query = { limit, ...(state && { state }), ...(action && { action }), ...(before && { before }) };
  const { items, next } = await session.client.call('runs', { query });
  const isAll = state === undefined && action === undefined;
  const none = isAll ? 'nothing was asked to be done' : 'nothing like that was asked to be done';
  session.print(items, () => (items.length === 0 ? none : runsTable(items, session)));
  if (next !== null) session.note(`older ones: --before ${next}`);
}

async function tries(run: string, name: string, session: Session): Promise<void> {
  const found = await session.client.call('tries', { params: { run, name } });
  session.print(found, () =>
    found.tries.length === 0
      ? `${found.command.action} has not been tried on ${name} yet`
      : found.tries
          .map(({ number, end, status, from, to, error, output, omitted, already }) =>
            [
              `try ${number}: ${end}${already ? ', was done already' : ''}${status === null ? '' : `, status ${status}`}; ${from} to ${to}`,
              ...(error === null ? [] : [error.message]),
              ...(omitted > 0 ? [`(${omitted} characters in the middle were left out)`] : []),
              output,
            ].join('\n'),
          )
          .join('\n'),
  );
}

/** @throws UsageError for what only a rolling run can do */
function rollingIn({ rolling, drain, stopAfter }: RunOptions): { rolling?: Rolling } {
  const named = Object.entries({ '--drain': drain, '--stop-after': stopAfter }).find(
    ([, given]) => given !== undefined,
  );
  if (rolling === undefined && named !== undefined)
    throw new UsageError(
      `${named[0]} is for runs that go about their nodes a few at a time`,
      'add --rolling',
    );
  if (rolling === undefined) return {};
  return {
    rolling: {
      ...{ size: rolling === true ? '1' : rolling, stopAfter: stopAfter ?? 1 },
      ...(drain === undefined ? {} : { drain: drain === true ? '30s' : drain }),
    },
  };
}

function count(text: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('use a whole number from 1');
}

function duration(text: string): number {
  if (/^[1-9][0-9]{0,4}(?:s|m|h)$/.test(text)) return milliseconds(text);
  throw new InvalidArgumentError('use a whole number and s, m or h, such as 30s');
}
