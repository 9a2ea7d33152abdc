/** What travels between the manager's queue and the agent that carries it out: tries, their results, and what is told of either. */
import { type Static, Type } from 'typebox';
import { Identifier, Moment, Name, OneOf, Sha256, Strict, Wait } from './values.ts';

/** A run, as its command on a node is named: with the node it is unique for all time. */
export const RunId = Type.String({
  pattern: '^[a-z2-7]{12}$',
  'x-rule': 'A run',
  'x-fix': 'use twelve characters, as `evenkeel runs` shows them',
});
export type RunId = Static<typeof RunId>;

/** Of one parameter, as an action wants it. */
export const ActionValue = Type.Union([
  Type.String({ maxLength: 65_536 }),
  Type.Integer(),
  Type.Array(Type.String({ maxLength: 65_536 }), { maxItems: 200 }),
]);
export const ActionValues = Type.Record(Identifier, ActionValue);
export type ActionValues = Static<typeof ActionValues>;

/** One try of the command at the head of a node's queue, as the manager hands it out. */
export const Try = Type.Object({
  run: RunId,
  /** Rises with each try of this command; a try is begun once at most. */
  number: Type.Integer({ minimum: 1 }),
  action: Name,
  /** Of the action's spec: the node does what was read when the command was made, or nothing. */
  digest: Sha256,
  values: ActionValues,
  /** Milliseconds of a random wait before it begins, so that not all nodes begin at once. */
  delay: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
});
export type Try = Static<typeof Try>;

/** How a try can end, as the agent knows it. `unknown`: it was begun, and nobody saw its end. */
export const tryEnds = ['succeeded', 'failed', 'cancelled', 'unknown'] as const;
export type TryEnd = (typeof tryEnds)[number];

/** So much of what a command said is kept: the beginning and the end, of each half. */
export const OUTPUT_LIMIT = 64 * 1024;

/** How a try ended. Kept by the agent until the manager has it. */
export const TryResult = Type.Object({
  run: RunId,
  number: Type.Integer({ minimum: 1 }),
  end: OneOf([...tryEnds]),
  /** Its `unless` said that there was nothing to do. */
  already: Type.Boolean(),
  /** Whether a process was started, or a deed begun. What was not begun may be tried again whatever it is. */
  begun: Type.Boolean(),
  /** Exit status; null where there is none. */
  status: Type.Union([Type.Integer(), Type.Null()]),
  error: Type.Union([
    Type.Object({ code: Type.String({ maxLength: 64 }), message: Type.String({ maxLength: 2000 }) }),
    Type.Null(),
  ]),
  output: Type.String({ maxLength: OUTPUT_LIMIT }),
  /** Characters that were left out of the middle. */
  omitted: Type.Integer({ minimum: 0 }),
  /** By the clock of the node. */
  from: Moment,
  to: Moment,
});
export type TryResult = Static<typeof TryResult>;

/**
 * What a node says when it pulls: results that it has no receipt for, and what it works on. The answer is the receipt.
 * `ledger` names the agent's own record: another one knows nothing of what this one has begun.
 */
export const QueuePull = Strict({
  ledger: Type.String({ pattern: '^[0-9a-f-]{36}$' }),
  results: Type.Array(TryResult, { maxItems: 8 }),
  working: Type.Union([Type.Object({ run: RunId, number: Type.Integer({ minimum: 1 }) }), Type.Null()]),
});
export type QueuePull = Static<typeof QueuePull>;

/** The answer, signed: what to do now, what to stop, and which results are kept. */
export const QueueAnswer = Type.Object({
  type: Type.Literal('queue'),
  cluster: Type.String(),
  node: Name,
  /** Null while there is nothing to do, or what was handed out is at work. */
  next: Type.Union([Try, Type.Null()]),
  /** The try that is to be stopped, also in the middle. A node that has never seen it tells that it was cancelled, not begun. */
  cancel: Type.Union([Type.Object({ run: RunId, number: Type.Integer({ minimum: 1 }) }), Type.Null()]),
  /** Results that are kept: `run/number`. */
  kept: Type.Array(Type.String({ maxLength: 40 }), { maxItems: 8 }),
});
export type QueueAnswer = Static<typeof QueueAnswer>;

/** What a command says while it runs, QoS 0: for whoever watches; the result has it all again. */
export const LiveOutput = Type.Object({
  run: RunId,
  number: Type.Integer({ minimum: 1 }),
  /** How many characters the try had said before it: of those in a gap nobody was told, or they were lost. */
  at: Type.Integer({ minimum: 0 }),
  text: Type.String({ maxLength: 16 * 1024 }),
});
export type LiveOutput = Static<typeof LiveOutput>;

/** In a queue, and after it. */
export const commandStates = [
  'waiting',
  'running',
  'failed',
  'unknown',
  'succeeded',
  'skipped',
  'cancelled',
  'expired',
] as const;
export type CommandState = (typeof commandStates)[number];

/** Those that hold their queue: as long as one is the oldest, nothing behind it begins. */
export const openStates = ['waiting', 'running', 'failed', 'unknown'] as const satisfies CommandState[];
export const isOpen = (state: CommandState): boolean =>
  (openStates as readonly CommandState[]).includes(state);

/** A few nodes at a time. */
export const Rolling = Strict({
  size: Type.String({
    pattern: '^(?:[1-9][0-9]{0,3}|(?:[1-9][0-9]?|100)%)$',
    maxLength: 4,
    default: '1',
    description: 'How many at once, or which share of all: 1, 25%',
    'x-rule': 'A number from 1 to 9999, or a share from 1% to 100%',
    'x-fix': "such as '1' or 25%: in YAML a number alone is quoted",
  }),
  drain: Type.Optional(
    Type.Unsafe<string>({
      ...Wait,
      description: 'Taken out of its pools before, and given back after; so long its connections have to end',
    }),
  ),
  stopAfter: Type.Integer({
    minimum: 1,
    maximum: 9999,
    default: 1,
    description: 'With so many nodes of the run not done or not well, no other is begun',
  }),
});
export type Rolling = Static<typeof Rolling>;

/** Where a rolling run is with a node: it waits for its turn, is drained, does its command, settles, and is done with. */
export const turnPhases = ['waits', 'drains', 'open', 'settles', 'done'] as const;
export type TurnPhase = (typeof turnPhases)[number];

/** How a run goes about its nodes. */
export const RunOptions = Strict({
  jitter: Type.Integer({
    minimum: 0,
    maximum: 86_400_000,
    default: 0,
    description: 'Milliseconds over which the beginnings are spread',
  }),
  expires: Type.Optional(Moment),
  rolling: Type.Optional(Rolling),
});
export type RunOptions = Static<typeof RunOptions>;
