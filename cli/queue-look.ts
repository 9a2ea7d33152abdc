/** How runs, queues and their commands look to people. */

import { isOpen, type TurnPhase } from '../protocol/queue.ts';
import type { CommandView, QueueView, RunView } from '../protocol/queue-api.ts';
import type { Tone } from './paint.ts';
import type { Session } from './session.ts';
import type { Cell } from './table.ts';
import { clockTime, relative } from './time.ts';

const tones: Record<string, Tone> = {
  succeeded: 'good',
  empty: 'dim',
  working: 'good',
  failed: 'bad',
  unknown: 'bad',
  halted: 'bad',
  paused: 'warn',
  cancelled: 'warn',
  skipped: 'warn',
  expired: 'warn',
};
const toned = (text: string): Cell => (tones[text] === undefined ? text : { text, tone: tones[text] });

/** `packages=a,b; count=3` */
export const valuesText = (values: CommandView['values']): string =>
  Object.entries(values)
    .map(([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : value}`)
    .join('; ');

/** What a person should know of it, and what he may do. */
export function commandNote(command: CommandView): string {
  const { state, already, number, delay, again, error, ended, stopping, node, turn } = command;
  const why = error === null ? '' : error.message.split('\n')[0];
  if (state === 'failed')
    return again === null
      ? `${why}; it is not tried again by itself: evenkeel queue retry ${node}, or skip ${node} --reason WHY`
      : `${why}; ${Date.parse(again) <= Date.now() ? 'it is tried again now' : `again ${relative(again)}`}`;
  if (state === 'unknown')
    return `${why}; it was done: evenkeel queue skip ${node} --reason WHY; it was not: evenkeel queue retry ${node}`;
  if (already) return 'was done already';
  if (stopping) return 'is being stopped';
  if (ended !== null) return [ended.by, ended.reason].filter((one) => one !== '').join(': ');
  if (state === 'running' && number === 1 && delay > 0) return `begins within ${seconds(delay)}`;
  return turn === null ? '' : turnText(turn);
}

const phases: Record<TurnPhase, string> = {
  waits: 'waits for its turn in the run',
  drains: 'leaves its pools',
  open: '',
  settles: 'is to be well again',
  done: '',
};

/** Where a rolling run is with the node. */
const turnText = ({ phase, why }: NonNullable<CommandView['turn']>): string =>
  [phases[phase], why].filter((one) => one !== '').join(': ');

const STEPS: TurnPhase[] = ['waits', 'drains', 'open', 'settles', 'done'];

/** How far a node is: of a rolling run its turn, of any other whether it waits, works, or is over. */
export function barOf({ state, turn }: Pick<CommandView, 'state' | 'turn'>): string {
  if (!isOpen(state) && state !== 'succeeded') return '[-]';
  const [most, done] =
    turn === null
      ? [2, isOpen(state) ? Number(state !== 'waiting') : 2]
      : [STEPS.length - 1, STEPS.indexOf(turn.phase)];
  return `[${'#'.repeat(done)}${'.'.repeat(most - done)}]`;
}

interface Asked {
  run: Pick<RunView, 'run' | 'options'>;
  commands: readonly Pick<CommandView, 'node' | 'turn' | 'state' | 'error'>[];
}

/** So many nodes of a rolling run have failed that no other begins. */
export const isStopped = ({ run, commands }: Asked): boolean =>
  run.options.rolling !== undefined &&
  commands.filter(({ turn }) => turn?.failed).length >= run.options.rolling.stopAfter;

/** What a person should know of a rolling run that has stopped, and what he may do. */
export function stoppedText(asked: Asked): string[] {
  const waiting = asked.commands.filter(({ turn }) => turn?.phase === 'waits').length;
  if (waiting === 0 || !isStopped(asked)) return [];
  const { run } = asked.run;
  const failed = asked.commands.filter(({ turn }) => turn?.failed);
  const halted = failed.find(({ state }) => state === 'failed' || state === 'unknown');
  return [
    `stopped: ${waiting} wait, and begin when what has failed is mended`,
    ...failed.map(
      ({ node, turn, error }) => `  ${node}  ${turn?.why || (error?.message.split('\n')[0] ?? '')}`,
    ),
    ...(halted === undefined
      ? []
      : [`  without it: evenkeel queue skip ${halted.node} --run ${run} --reason WHY`]),
    `  no more of it: evenkeel runs ${run} --cancel`,
  ];
}

/** Below the queues, where one waits for a person or for the next try. */
const verbsText = (queues: readonly QueueView[]): string => {
  const nameOf = (some: readonly QueueView[]) => (some.length > 1 ? 'NODE' : some[0]?.node);
  const halted = nameOf(queues.filter(({ state }) => state === 'halted'));
  const paused = nameOf(queues.filter((queue) => queue.paused !== null));
  const lines = [
    ...(halted === undefined
      ? []
      : [`halted: evenkeel queue retry ${halted}, skip ${halted} --reason WHY, or diagnose ${halted}`]),
    ...(paused === undefined ? [] : [`paused: evenkeel queue resume ${paused}`]),
  ];
  return lines.length === 0 ? '' : `\n\n${lines.join('\n')}`;
};

export const queuesTable = (queues: readonly QueueView[], session: Session): string =>
  `${rowsOf(queues, session)}${verbsText(queues)}`;

/** Why a command on this node has not begun; empty where nothing is before it. */
export const behindText = ({ node, online, state, head, paused }: QueueView, run: string): string => {
  if (!online) return `${node}  is away: what waits there begins when it is back`;
  if (paused) return `${node}  waits: its queue is paused: ${paused.reason}: evenkeel queue resume ${node}`;
  if (state !== 'halted' || head === null || head.run === run) return '';
  return `${node}  waits behind ${head.action} (${head.run}), which has not succeeded: ${commandNote(head)}; or evenkeel queue skip ${node} --reason WHY`;
};

const rowsOf = (queues: readonly QueueView[], session: Session): string =>
  session.table(
    ['NODE', 'QUEUE', 'OPEN', 'FIRST', 'TRY', 'NOTES'],
    queues.map(({ node, online, state, waiting, head, paused }) => [
      node,
      toned(state),
      String(waiting),
      head?.action ?? '',
      head === null || head.number === 0 ? '' : String(head.number),
      [
        ...(online ? [] : ['is away']),
        ...(paused ? [`paused: ${paused.reason} (${paused.owner})`] : []),
        ...(head ? [commandNote(head)] : []),
      ]
        .filter((one) => one !== '')
        .join('; '),
    ]),
  );

/** What was in the queue of a node. */
export const historyTable = (commands: readonly CommandView[], session: Session): string =>
  session.table(
    ['RUN', 'ACTION', 'VALUES', 'STATE', 'SINCE', 'TRY', 'ASKED', 'NOTES'],
    commands.map((command) => {
      const { run, action, values, state, since, number, at, by } = command;
      return [
        ...[run, action, valuesText(values), toned(state), clockTime(since), String(number)],
        ...[`${clockTime(at)} ${by}`, commandNote(command)],
      ];
    }),
  );

/** How a run is on each of its nodes; with other values where somebody tried again with such. */
export const nodesTable = (run: RunView, commands: readonly CommandView[], session: Session): string =>
  session.table(
    ['NODE', 'STATE', 'SINCE', '', 'TRY', 'NOTES'],
    commands.map((command) => {
      const { node, values, state, since, number } = command;
      const other = Object.entries(values).filter(
        ([name, value]) => JSON.stringify(value) !== JSON.stringify(run.values[name]),
      );
      const given = valuesText(Object.fromEntries(other));
      const notes = [...(given === '' ? [] : [`with ${given}`]), commandNote(command)];
      return [
        ...[node, toned(state), clockTime(since), barOf(command), String(number)],
        notes.filter((one) => one !== '').join('; '),
      ];
    }),
  );

/** How a run goes about its nodes; empty where that is all at once. */
export function optionsText({ options: { jitter, expires, rolling } }: Pick<RunView, 'options'>): string {
  const parts = [
    ...(jitter > 0 ? [`begins within ${seconds(jitter)} on each node`] : []),
    ...(rolling ? [`${rolling.size} at a time`, `stops after ${rolling.stopAfter} that failed`] : []),
    ...(rolling?.drain === undefined ? [] : [`drained, visitors have ${rolling.drain}`]),
    ...(expires === undefined ? [] : [`not begun after ${clockTime(expires)}`]),
  ];
  return parts.join('; ');
}

const seconds = (ms: number): string => `${Math.ceil(ms / 1_000)}s`;

export const countsText = ({ counts }: Pick<RunView, 'counts'>): string =>
  Object.entries(counts)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');

export const runsTable = (runs: readonly RunView[], session: Session): string =>
  session.table(
    ['RUN', 'ACTION', 'ON', 'VALUES', 'ASKED', 'COMMANDS'],
    runs.map((run) => [
      ...[
        run.run,
        run.action,
        run.on,
        valuesText(run.values),
        `${clockTime(run.at)} ${run.by}`,
        countsText(run),
      ],
    ]),
  );
