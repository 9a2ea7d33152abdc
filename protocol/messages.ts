/** Every message between manager and agents, declared once. What is signed travels inside an Envelope. */
import { type Static, Type } from 'typebox';
import { BoxLook, Findings, Needs } from './preflight.ts';
import { movePhases } from './resources/storage.ts';
import { ReleaseWanted } from './upgrade.ts';
import { Moment, Name, OneOf, Port, Sha256, Strict } from './values.ts';

/** The readers of a wire tolerate unknown fields, so that an older agent understands a newer manager. */
const Wire = Type.Object;
const Revision = Type.Integer({ minimum: 0 });
const Epoch = Type.Integer({ minimum: 0 });

/** `cluster`, `role/<role>` or `node/<node>`. */
export const ScopeName = Type.String({
  pattern: '^(?:cluster|role/[a-z0-9.-]{1,253}|node/[a-z0-9.-]{1,253})$',
  maxLength: 260,
});
export type ScopeName = Static<typeof ScopeName>;

/** Signed text: `s` is the Ed25519 signature, base64, of the UTF-8 bytes of `p`, which is JSON. */
export const Envelope = Wire({
  p: Type.String({ maxLength: 512 * 1024 * 1024 }),
  s: Type.String({ maxLength: 120 }),
});
export type Envelope = Static<typeof Envelope>;

/** One resource of a scope, as it now is: `body` is its canonical spec, and `digest` the SHA-256 of those bytes. */
export const Change = Type.Union([
  Wire({
    op: Type.Literal('put'),
    kind: Type.String(),
    name: Type.String(),
    digest: Sha256,
    body: Type.String(),
  }),
  Wire({ op: Type.Literal('delete'), kind: Type.String(), name: Type.String() }),
]);
export type Change = Static<typeof Change>;

const scopeStand = {
  cluster: Type.String({ description: 'The id of the cluster, so that no other cluster is believed' }),
  scope: ScopeName,
  epoch: Epoch,
  rev: Revision,
  count: Type.Integer({ minimum: 0, description: 'Resources in the scope' }),
  digest: Type.Unsafe<string>({
    ...Sha256,
    description: 'Sum modulo 2^256 of the SHA-256 of each `kind/name/digest`',
  }),
  /** An operator allowed large removals up to this revision: a snapshot may then remove more than a fifth of a kind. */
  shrink: Type.Optional(Wire({ epoch: Epoch, rev: Revision })),
};

/** Where a scope stands. Retained, signed; `since` is the scope's own previous revision, for which `changes` holds. */
export const Head = Wire({
  ...scopeStand,
  type: Type.Literal('head'),
  since: Revision,
  touches: Type.Record(ScopeName, Revision, {
    description: 'All scopes that the same change touched, with their new revisions',
  }),
  changes: Type.Optional(Type.Array(Change)),
  at: Moment,
});
export type Head = Static<typeof Head>;

/** The answer to a pull, signed: a delta from `since`, or a snapshot where `since` is null. */
export const Changes = Wire({
  ...scopeStand,
  type: Type.Literal('changes'),
  since: Type.Union([Revision, Type.Null()]),
  changes: Type.Array(Change),
});
export type Changes = Static<typeof Changes>;

/** The node lives: about 100 bytes every 2 s, QoS 0. `s` session, `n` counter, `e` epoch, `r` revision of each scope it follows, in the order cluster, roles, node. */
export const Beat = Wire({
  s: Type.String(),
  n: Type.Integer(),
  e: Epoch,
  r: Type.Array(Revision),
  ok: Type.Boolean(),
});
export type Beat = Static<typeof Beat>;

/** Who is there, retained; the last will is the same with `state: offline`. Stale sessions are ignored. */
export const Status = Wire({
  session: Type.String(),
  state: OneOf(['online', 'offline']),
  version: Type.String(),
  /** Of the agent, where it runs from one. */
  release: Type.Optional(Type.String({ maxLength: 120 })),
  protocol: Type.Integer(),
  scopes: Type.Record(ScopeName, Wire({ epoch: Epoch, rev: Revision, digest: Sha256 })),
});
export type Status = Static<typeof Status>;

/** The steps of the pipeline, in their order. `test/` kills agents at each of them. */
export const steps = [
  'render',
  'plan',
  'stage',
  'validate',
  'activate',
  'reload',
  'verify',
  'report',
] as const;
export const Step = OneOf([...steps]);
export type Step = (typeof steps)[number];

export const FileDiff = Wire({
  path: Type.String(),
  change: OneOf(['added', 'removed', 'modified']),
  /** Unified diff, at most 16 KiB; empty with `replaced` when it was too large to compute. */
  diff: Type.String(),
  replaced: Type.Optional(Type.Boolean()),
});
export type FileDiff = Static<typeof FileDiff>;

export const HeldItem = Wire({
  kind: Type.String(),
  name: Type.String(),
  /** Whether its last good version is served meanwhile, or nothing at all. */
  serving: OneOf(['last-good', 'nothing']),
  reason: Type.String({ description: "The checker's own message, without what differs from run to run" }),
  detail: Type.Optional(Type.String({ description: 'All that it said, where that is more' })),
});
export type HeldItem = Static<typeof HeldItem>;

export const results = ['unchanged', 'changed', 'corrected', 'held', 'rolledBack', 'failed'] as const;
export type Result = (typeof results)[number];

const reportBase = { id: Type.String({ maxLength: 64 }), session: Type.String(), at: Moment };

/** How one pass of the pipeline over one unit ended. */
export const UnitReport = Wire({
  ...reportBase,
  type: Type.Literal('unit'),
  unit: Name,
  scopes: Type.Record(ScopeName, Wire({ epoch: Epoch, rev: Revision })),
  /** The tree that is served now. */
  digest: Type.String(),
  result: OneOf([...results]),
  /** The service that was found dead in this pass and runs again. Said once; a report that is said again leaves it out. */
  restarted: Type.Optional(Name),
  /** The step that failed, and its coded error. */
  step: Type.Optional(Step),
  error: Type.Optional(Wire({ code: Type.String(), message: Type.String() })),
  held: Type.Array(HeldItem),
  /** Milliseconds of each step that ran. */
  timing: Type.Record(Type.String(), Type.Number()),
  diffs: Type.Array(FileDiff),
});
export type UnitReport = Static<typeof UnitReport>;

/** Somebody changed something on disk that no revision asked for. */
export const DriftReport = Wire({
  ...reportBase,
  type: Type.Literal('drift'),
  unit: Name,
  action: OneOf(['repaired', 'reported']),
  diffs: Type.Array(FileDiff),
});
export type DriftReport = Static<typeof DriftReport>;

/** One path was corrected four times within ten minutes: two parties are at odds, and a person must look. */
export const FightReport = Wire({
  ...reportBase,
  type: Type.Literal('fight'),
  unit: Name,
  path: Type.String(),
  count: Type.Integer(),
});
export type FightReport = Static<typeof FightReport>;

/** Something an operator must know, by its code in errors.ts. `active: false` takes it back. */
export const AlarmReport = Wire({
  ...reportBase,
  type: Type.Literal('alarm'),
  code: Type.String(),
  subject: Type.String(),
  active: Type.Boolean(),
  message: Type.String(),
});
export type AlarmReport = Static<typeof AlarmReport>;

export const CheckState = OneOf(['up', 'down', 'unknown']);

/** A check has changed its judged state; all are sent again on connect. */
export const CheckReport = Wire({
  ...reportBase,
  type: Type.Literal('check'),
  unit: Name,
  check: Name,
  state: CheckState,
  detail: Type.String({ maxLength: 500 }),
});
export type CheckReport = Static<typeof CheckReport>;

/** What a balancer's driver read back: what the balancer really has, and what the director's own probes say. */
export const PoolReport = Wire({
  ...reportBase,
  type: Type.Literal('pool'),
  service: Name,
  /** The pool state that this answers to. */
  epoch: Epoch,
  seq: Revision,
  fallback: Type.Boolean(),
  members: Type.Array(
    Wire({
      node: Name,
      state: OneOf(['up', 'drain', 'down', 'absent']),
      weight: Type.Integer(),
      connections: Type.Integer(),
      probe: CheckState,
      detail: Type.String({ maxLength: 500 }),
    }),
  ),
});
export type PoolReport = Static<typeof PoolReport>;

const Count = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const Packets = Type.Union([Count, Type.Null()]);

/** What a balancer has counted for a service, every 10 s, QoS 0: one that is lost is made up for by the next. */
export const Traffic = Wire({
  session: Type.String({ maxLength: 64 }),
  /** What counted. Counters of two balancers say nothing of each other. */
  source: Type.String({ maxLength: 64 }),
  /** Milliseconds on the agent's monotonic clock at which the counters were read. */
  uptime: Count,
  service: Name,
  rows: Type.Array(
    Wire({
      port: Port,
      /** Null is the virtual service itself. */
      member: Type.Union([Name, Type.Null()]),
      connections: Count,
      active: Count,
      inactive: Count,
      packetsIn: Packets,
      packetsOut: Packets,
      bytesIn: Count,
      bytesOut: Count,
    }),
    { maxItems: 1000 },
  ),
});
export type Traffic = Static<typeof Traffic>;

/** How far the node that copies a storage to another server has come, and how its part of a phase ended. */
export const StorageReport = Wire({
  ...reportBase,
  type: Type.Literal('storage'),
  storage: Name,
  /** The id of the move. */
  move: Type.String({ maxLength: 64 }),
  phase: OneOf([...movePhases]),
  /** Passes over everything that are through in this phase, and the seconds that the last of them took. */
  pass: Type.Integer({ minimum: 0 }),
  seconds: Type.Number({ minimum: 0 }),
  /** Copied in the present pass; of what was compared, all of it. */
  files: Type.Integer({ minimum: 0 }),
  bytes: Type.Number({ minimum: 0 }),
  /** Files that the present pass has still to look at, as far as they are known. */
  left: Type.Integer({ minimum: 0 }),
  /** Both sides were read whole, and are the same. */
  identical: Type.Optional(Type.Boolean()),
  /** Its part of the phase has failed, and is not tried again. */
  error: Type.Optional(Wire({ code: Type.String(), message: Type.String({ maxLength: 2000 }) })),
});
export type StorageReport = Static<typeof StorageReport>;

export const Report = Type.Union([
  UnitReport,
  DriftReport,
  FightReport,
  AlarmReport,
  CheckReport,
  PoolReport,
  StorageReport,
]);
export type Report = Static<typeof Report>;

/** The manager has kept these reports; the agent may forget them. */
export const Receipt = Wire({ ids: Type.Array(Type.String()) });
export type Receipt = Static<typeof Receipt>;

/** A member's opinion in a pool state: what reports say, what the operator says. */
export const PoolMember = Wire({
  node: Name,
  address: Type.String(),
  weight: Type.Integer({ minimum: 0, maximum: 256 }),
  opinion: OneOf(['up', 'down', 'none']),
  operator: OneOf(['none', 'drain', 'maintenance']),
  /** Milliseconds left until a drain ends in removal, at the moment of sending. */
  drainLeft: Type.Optional(Type.Integer({ minimum: 0 })),
  reasons: Type.Array(Type.String()),
});
export type PoolMember = Static<typeof PoolMember>;

/** The derived state of one virtual service's pool: signed, numbered, retained. Opinions in it are leases. */
export const PoolState = Wire({
  type: Type.Literal('pool-state'),
  cluster: Type.String(),
  service: Name,
  epoch: Epoch,
  seq: Revision,
  members: Type.Array(PoolMember),
  /** Only the director's own probes may take members out: the manager has no sound opinion just now. */
  probesOnly: Type.Boolean(),
  at: Moment,
});
export type PoolState = Static<typeof PoolState>;

/** The manager's beat that renews every opinion: a counter, signed, never retained, judged by the receiver's monotonic clock. */
export const Lease = Wire({
  type: Type.Literal('lease'),
  cluster: Type.String(),
  epoch: Epoch,
  n: Type.Integer(),
  seconds: Type.Integer({ minimum: 1, maximum: 600 }),
});
export type Lease = Static<typeof Lease>;

/** A signed request that reads and changes nothing on the node but the pace of its retries. */
export const Ask = Wire({
  type: Type.Literal('ask'),
  cluster: Type.String(),
  node: Name,
  id: Type.String({ maxLength: 64 }),
  /** plan: say what an apply would change. retry: try held and quarantined items again. sweep: compare with the disk now. probe: run checks now, at half the interval for a while. doctor: look at the box, which changes nothing. upgrade: have the agent replaced by another release. upgrade-check: say whether that would be begun; an agent that is too old to know this says nothing. queue: pull, there is something to do. */
  what: OneOf(['plan', 'retry', 'sweep', 'probe', 'doctor', 'upgrade', 'upgrade-check', 'queue']),
  /** For doctor: what the roles of the node ask of its box. */
  needs: Type.Optional(Needs),
  release: Type.Optional(ReleaseWanted),
});
export type Ask = Static<typeof Ask>;

/** What an apply would change on a node, per unit; touches nothing. */
export const UnitPlan = Wire({
  unit: Name,
  result: OneOf(['unchanged', 'would-change', 'failed']),
  error: Type.Optional(Wire({ code: Type.String(), message: Type.String() })),
  drift: Type.Boolean({ description: 'The disk differs from what the active tree says' }),
  held: Type.Array(HeldItem),
  diffs: Type.Array(FileDiff),
});
export type UnitPlan = Static<typeof UnitPlan>;

export const Answer = Wire({
  id: Type.String(),
  what: Type.String(),
  units: Type.Array(UnitPlan),
  checks: Type.Optional(Findings),
  box: Type.Optional(BoxLook),
  error: Type.Optional(Type.String()),
});
export type Answer = Static<typeof Answer>;

/** What a box says of itself when it joins. The facts never choose its roles. */
export const Facts = Strict({
  hostname: Type.String({ maxLength: 253 }),
  os: Type.String({ maxLength: 200 }),
  arch: Type.String({ maxLength: 40 }),
  agent: Type.String({ maxLength: 40 }),
  protocol: Type.Integer(),
  address: Type.String({ maxLength: 45 }),
  paths: Strict({ state: Type.String(), run: Type.String(), log: Type.String() }),
  box: Type.Optional(BoxLook),
});
export type Facts = Static<typeof Facts>;

/**
 * Which box and which process an agent is, so that two with one key are told apart: JSON in the user name of its CONNECT.
 * `run` is new with each process; the others name the box to people.
 */
export const Incarnation = Wire({
  run: Type.String({ maxLength: 64 }),
  boot: Type.String({ maxLength: 64 }),
  machine: Type.String({ maxLength: 64 }),
  /** The product uuid and the cards, as far as the box tells. */
  hardware: Type.String({ maxLength: 300 }),
});
export type Incarnation = Static<typeof Incarnation>;

/** What the join string carries, as base64url of its JSON. */
export const JoinString = Strict({
  /** Cluster address and the port of the people's API, where joining lives. */
  address: Type.String(),
  port: Port,
  /** The whole CA certificate, base64 DER, so that the first connection is already verified. */
  ca: Type.String(),
  secret: Type.String(),
  expires: Moment,
  /** Of install.sh as the manager serves it. */
  installer: Type.Optional(Sha256),
});
export type JoinString = Static<typeof JoinString>;
