/** What is asked of runs and queues over HTTP. A part of the table in endpoints.ts. */
import { type Static, Type } from 'typebox';
import { Findings } from './preflight.ts';
import { ActionValue, commandStates, RunId, RunOptions, TryResult, turnPhases } from './queue.ts';
import { Identifier, Moment, Name, OneOf, Reason, Strict } from './values.ts';

/** Values of secret parameters are not in it. */
const Values = Type.Record(Identifier, ActionValue);
const Failure = Type.Union([Strict({ code: Type.String(), message: Type.String() }), Type.Null()]);
const Later = Type.Union([Moment, Type.Null()]);

export const CommandView = Strict({
  run: RunId,
  node: Name,
  action: Name,
  values: Values,
  by: Type.String({ description: 'Who asked for it' }),
  at: Moment,
  state: OneOf([...commandStates]),
  since: Type.Unsafe<string>({ ...Moment, description: 'When it came into this state' }),
  already: Type.Boolean({ description: 'Succeeded, for there was nothing to do: `unless`' }),
  number: Type.Integer({ description: 'Of the newest try; 0 before the first' }),
  delay: Type.Integer({ description: 'Milliseconds that its first try waits on the node' }),
  again: Type.Union([Moment, Type.Null()], { description: 'When it is tried again by itself' }),
  expires: Later,
  turn: Type.Union(
    [
      Strict({
        phase: OneOf([...turnPhases]),
        since: Moment,
        drained: Type.Boolean({ description: 'By the run, which gives it back' }),
        failed: Type.Boolean({ description: 'It counts for `stopAfter`' }),
        why: Type.String({ description: 'What it waits for' }),
      }),
      Type.Null(),
    ],
    { description: 'Of a rolling run: how far that has come with the node' },
  ),
  stopping: Type.Boolean(),
  error: Failure,
  ended: Type.Union([Strict({ by: Type.String(), reason: Type.String() }), Type.Null()]),
});
export type CommandView = Static<typeof CommandView>;

export const queueStates = ['empty', 'working', 'waiting', 'halted', 'paused'] as const;
export const QueueView = Strict({
  node: Name,
  online: Type.Boolean(),
  state: OneOf([...queueStates], {
    description: 'halted: its first command has failed, or is unknown; nothing behind it begins',
  }),
  waiting: Type.Integer({ description: 'Commands that are not over' }),
  head: Type.Union([CommandView, Type.Null()], { description: 'The first of them' }),
  paused: Type.Union([Strict({ reason: Type.String(), owner: Type.String(), since: Moment }), Type.Null()]),
});
export type QueueView = Static<typeof QueueView>;

export const RunView = Strict({
  run: RunId,
  action: Name,
  values: Values,
  by: Type.String(),
  at: Moment,
  on: Type.String(),
  options: Strict({
    ...RunOptions.properties,
    undoes: Type.Optional({ ...RunId, description: 'The run that it takes back' }),
  }),
  counts: Type.Record(Type.String(), Type.Integer(), { description: 'Commands by their state' }),
});
export type RunView = Static<typeof RunView>;

/** One event of the stream of a run. */
export const RunLine = Type.Union([
  Strict({ type: Type.Literal('command'), command: CommandView }),
  Strict({
    type: Type.Literal('output'),
    node: Name,
    number: Type.Integer(),
    at: Type.Integer({ description: 'How many characters the try had said before; a gap was not told' }),
    text: Type.String(),
  }),
]);
export type RunLine = Static<typeof RunLine>;

const Page = Strict({
  before: Type.Optional(Type.Integer({ minimum: 1, description: 'The `next` of the page before' })),
  limit: Type.Integer({ minimum: 1, maximum: 500, default: 50 }),
});
const Next = Type.Union([Type.Integer(), Type.Null()]);
const OfQueue = Strict({ name: Name });
const OfRun = Strict({ run: RunId });

const verb = {
  access: 'operator',
  params: OfQueue,
  answer: QueueView,
} as const;
const Which = { run: Type.Optional(RunId) };

export const queueApi = {
  runStart: {
    method: 'POST',
    path: '/api/v1/runs',
    access: 'operator',
    summary: 'Have an action done: a command on each node of a selector, at the end of its queue',
    body: Strict({
      action: Name,
      parameters: Type.Record(Type.String({ maxLength: 63 }), Type.Unknown(), { default: {} }),
      on: Type.String({
        minLength: 1,
        maxLength: 4096,
        description: '`all`, a role, or names with commas between',
      }),
      ...RunOptions.properties,
    }),
    answer: RunView,
  },
  runs: {
    method: 'GET',
    path: '/api/v1/runs',
    access: 'viewer',
    summary: 'Runs, the newest first',
    query: Strict({
      ...Page.properties,
      state: Type.Optional(OneOf([...commandStates], { description: 'Of one of its commands at least' })),
      action: Type.Optional(Name),
    }),
    answer: Strict({ items: Type.Array(RunView), next: Next }),
  },
  run: {
    method: 'GET',
    path: '/api/v1/runs/:run',
    access: 'viewer',
    summary: 'One run and its commands',
    params: OfRun,
    answer: Strict({
      run: RunView,
      commands: Type.Array(CommandView),
      undoneBy: Type.Array(RunId, { description: 'The runs that take it back' }),
    }),
  },
  runAgain: {
    method: 'POST',
    path: '/api/v1/runs/:run/again',
    access: 'operator',
    summary: 'The same once more, on the nodes where it was skipped, cancelled or not begun in its time',
    params: OfRun,
    answer: RunView,
  },
  runUndo: {
    method: 'POST',
    path: '/api/v1/runs/:run/undo',
    access: 'operator',
    summary: 'What its action names as undo, with its values, on the nodes where it changed something',
    params: OfRun,
    body: Strict({
      again: Type.Boolean({ default: false, description: 'Also when it was taken back already' }),
    }),
    answer: RunView,
  },
  runCancel: {
    method: 'POST',
    path: '/api/v1/runs/:run/cancel',
    access: 'operator',
    summary: 'End a run on every node where it is not over, also where it runs',
    params: OfRun,
    body: Strict({ reason: Type.Unsafe<string>({ ...Reason, default: '' }) }),
    answer: RunView,
  },
  runStream: {
    method: 'GET',
    path: '/api/v1/runs/:run/stream',
    access: 'viewer',
    summary: 'Its commands as they change, and what they say while they run',
    params: OfRun,
    stream: 'text/event-stream',
  },
  tries: {
    method: 'GET',
    path: '/api/v1/runs/:run/nodes/:name',
    access: 'viewer',
    summary: 'Every try of a command, with what it said',
    params: Strict({ run: RunId, name: Name }),
    answer: Strict({ command: CommandView, tries: Type.Array(TryResult) }),
  },
  queues: {
    method: 'GET',
    path: '/api/v1/queues',
    access: 'viewer',
    summary: 'The queue of every node',
    answer: Strict({ items: Type.Array(QueueView) }),
  },
  queue: {
    method: 'GET',
    path: '/api/v1/queues/:name',
    access: 'viewer',
    summary: 'The queue of a node and what was in it, the newest first',
    params: OfQueue,
    query: Strict({
      ...Page.properties,
      state: Type.Optional(OneOf([...commandStates])),
      action: Type.Optional(Name),
    }),
    answer: Strict({ queue: QueueView, commands: Type.Array(CommandView), next: Next }),
  },
  queueRetry: {
    method: 'POST',
    path: '/api/v1/queues/:name/retry',
    ...verb,
    summary: 'Try its first command again now, with other values where some are given',
    body: Strict({
      ...Which,
      parameters: Type.Record(Type.String({ maxLength: 63 }), Type.Unknown(), { default: {} }),
    }),
  },
  queueSkip: {
    method: 'POST',
    path: '/api/v1/queues/:name/skip',
    ...verb,
    summary: 'Go on without a command: the first, or that of a run',
    body: Strict({ ...Which, reason: Type.Unsafe<string>({ ...Reason, minLength: 1 }) }),
  },
  queueCancel: {
    method: 'POST',
    path: '/api/v1/queues/:name/cancel',
    ...verb,
    summary: 'End a command, also one that runs: the first, or that of a run',
    body: Strict({ ...Which, reason: Type.Unsafe<string>({ ...Reason, default: '' }) }),
  },
  queuePause: {
    method: 'POST',
    path: '/api/v1/queues/:name/pause',
    ...verb,
    summary: 'Hand out nothing more; what runs goes on',
    body: Strict({ reason: Type.Unsafe<string>({ ...Reason, minLength: 1 }) }),
  },
  queueResume: {
    method: 'POST',
    path: '/api/v1/queues/:name/resume',
    ...verb,
    summary: 'End a pause',
  },
  queueDiagnose: {
    method: 'GET',
    path: '/api/v1/queues/:name/diagnose',
    access: 'operator',
    summary: 'The checks that fit the action of its first command, made on the node now',
    params: OfQueue,
    answer: Strict({
      node: Name,
      action: Name,
      all: Type.Boolean({ description: 'The action names no checks: these are all of them' }),
      checks: Findings,
    }),
  },
} as const;
