/** What the API shows and takes: the bodies of endpoints.ts, each declared once. */
import { type Static, Type } from 'typebox';
import { FileDiff, HeldItem, PoolMember, results, ScopeName } from './messages.ts';
import { nodeStates } from './node-states.ts';
import { queueStates } from './queue-api.ts';
import { kindNames } from './resource.ts';
import { Moment, Name, OneOf, Sha256, Strict } from './values.ts';

export const KindParam = OneOf([...kindNames]);
export const Rev = Type.Integer({ minimum: 0 });

export const roles = ['viewer', 'operator', 'admin'] as const;
/** What a token may do: viewer reads; operator declares sites, services, drains; admin also policies, templates, actions, invites, tokens, backups. */
export type AccessRole = (typeof roles)[number];

/** A resource as the API shows it. `revision` is what If-Match wants. */
export const StoredResource = Strict({
  kind: KindParam,
  name: Type.String(),
  revision: Rev,
  digest: Sha256,
  spec: Type.Unknown(),
});
export type StoredResource = Static<typeof StoredResource>;

const FieldChange = Strict({
  kind: KindParam,
  name: Type.String(),
  op: OneOf(['create', 'update', 'delete', 'unchanged']),
  diff: Type.String({ description: 'Of the specs, as YAML; with dryRun' }),
});
export const ApplyBody = Strict({
  documents: Type.Array(Type.Unknown(), { maxItems: 200_000, description: 'Resources: kind, name, spec' }),
  /** Deletes resources of these kinds that are not among the documents. */
  prune: Type.Array(OneOf(['Site', 'VirtualService', 'Storage']), { default: [] }),
  deletes: Type.Array(Strict({ kind: KindParam, name: Type.String({ minLength: 1, maxLength: 512 }) }), {
    ...{ maxItems: 10_000, default: [] },
    description: 'Resources that go in the same change',
  }),
  revisions: Type.Record(Type.String({ maxLength: 600 }), Rev, {
    default: {},
    description: 'Revisions that resources of this change must have now, by `Kind/name`; 0: must not exist',
  }),
  dryRun: Type.Boolean({ default: false }),
  force: Type.Boolean({ default: false, description: 'Carry out removals that the guards refuse' }),
  losses: Type.Array(Type.String({ maxLength: 4096 }), {
    ...{ maxItems: 1000, default: [] },
    description: 'Carry out these alone of what the guards refuse: their messages, word for word',
  }),
});
export type ApplyBody = Static<typeof ApplyBody>;
/** The same choices for a body that is documents alone: YAML. */
export const ApplyQuery = Strict({
  prune: Type.Optional(Type.String({ description: 'Kinds, with commas between' })),
  dryRun: Type.Optional(Type.Boolean()),
  force: Type.Optional(Type.Boolean()),
});
export const ApplyAnswer = Strict({
  revision: Rev,
  dryRun: Type.Boolean(),
  created: Type.Integer(),
  updated: Type.Integer(),
  deleted: Type.Integer(),
  unchanged: Type.Integer(),
  /** Bounded: the first 200 changes. */
  changes: Type.Array(FieldChange),
  /** With dryRun: what would change on each kind of node, one representative node each. */
  rendered: Type.Array(
    Strict({
      node: Name,
      alike: Type.Array(Name),
      units: Type.Array(
        Strict({ unit: Name, files: Type.Array(FileDiff), error: Type.Optional(Type.String()) }),
      ),
    }),
  ),
  warnings: Type.Array(Type.String()),
  actor: Type.String({ description: 'As whom the journal names the caller' }),
});
export type ApplyAnswer = Static<typeof ApplyAnswer>;

export const NodeView = Strict({
  name: Name,
  roles: Type.Array(Name),
  address: Type.String(),
  state: OneOf([...nodeStates]),
  does: Type.String({ description: 'What it still does in this state' }),
  /** Connected now, and when it was last heard. */
  online: Type.Boolean(),
  lastSeen: Type.Union([Moment, Type.Null()]),
  version: Type.String(),
  release: Type.String({
    description: 'Of its agent; empty where it runs from a checkout, or is older than that',
  }),
  mode: Type.String(),
  /** All its scopes are at the head and every unit ended unchanged, changed or corrected. */
  converged: Type.Boolean(),
  behind: Type.Array(ScopeName),
  units: Type.Array(
    Strict({
      unit: Name,
      result: Type.String(),
      digest: Type.String(),
      revisions: Type.Record(Type.String(), Rev),
      held: Type.Array(HeldItem),
      error: Type.Optional(Type.String()),
      at: Moment,
      timing: Type.Record(Type.String(), Type.Number()),
    }),
  ),
  checks: Type.Array(
    Strict({ unit: Name, check: Name, state: Type.String(), detail: Type.String(), since: Moment }),
  ),
  alarms: Type.Array(
    Strict({ code: Type.String(), subject: Type.String(), message: Type.String(), since: Moment }),
  ),
  hold: Type.Optional(Type.String()),
  drain: Type.Optional(Type.String()),
  maintenance: Type.Optional(Type.String()),
  until: Type.Optional(
    Strict(
      { hold: Type.Optional(Moment), drain: Type.Optional(Moment), maintenance: Type.Optional(Moment) },
      { description: 'When what the operator said ends; a draining node has left its pools by then' },
    ),
  ),
  queue: Strict(
    { state: OneOf([...queueStates]), waiting: Type.Integer(), action: Type.String() },
    { description: 'Commands that wait on it, and the action of the first' },
  ),
  certificateExpires: Type.Union([Moment, Type.Null()]),
});
export type NodeView = Static<typeof NodeView>;

export const PoolView = Strict({
  service: Name,
  vip: Type.String(),
  ports: Type.Array(Type.Integer()),
  seq: Rev,
  fallback: Type.Boolean({ description: 'The fallback serves: no member is left' }),
  probesOnly: Type.Boolean(),
  members: Type.Array(
    Strict({
      node: Name,
      wanted: Type.Unsafe<Static<typeof PoolMember>>(PoolMember),
      /** What each director reports that its balancer really has. */
      actual: Type.Array(
        Strict({
          director: Name,
          state: Type.String(),
          weight: Type.Integer(),
          connections: Type.Integer(),
          probe: Type.String(),
          detail: Type.String(),
          seq: Rev,
        }),
      ),
    }),
  ),
});
export type PoolView = Static<typeof PoolView>;

const counts = {
  connections: Type.Number({ description: 'New ones' }),
  packetsIn: Type.Union([Type.Number(), Type.Null()], { description: 'Null where the balancer counts none' }),
  packetsOut: Type.Union([Type.Number(), Type.Null()]),
  bytesIn: Type.Number(),
  bytesOut: Type.Number({ description: 'With direct routing answers do not pass the balancer: 0' }),
};
const PerSecond = Strict(counts, { description: 'The same in each second' });

/** What one balancer carries now. */
export const TrafficView = Strict({
  service: Name,
  member: Type.Union([Name, Type.Null()], { description: 'Null is the virtual service itself' }),
  director: Name,
  age: Type.Integer({ description: 'Seconds since it was counted' }),
  active: Type.Integer({ description: 'Connections that are open' }),
  inactive: Type.Integer({ description: 'Connections that LVS still remembers' }),
  ...counts,
  rates: PerSecond,
});
export type TrafficView = Static<typeof TrafficView>;

export const HistoryStep = OneOf(['10s', '5m', '1h']);

/** What balancers carried, in the slots of one ring. A slot that is missing is one of which nothing is known. */
export const HistoryView = Strict({
  service: Name,
  step: HistoryStep,
  from: Moment,
  to: Moment,
  series: Type.Array(
    Strict({
      member: Type.Union([Name, Type.Null()], { description: 'Null is the virtual service itself' }),
      points: Type.Array(
        Strict({
          at: Moment,
          seconds: Type.Number({ description: 'How much of the slot was counted' }),
          active: Type.Number({ description: 'Open connections in the mean of the readings' }),
          peak: Type.Integer({ description: 'The most of them' }),
          ...counts,
          rates: PerSecond,
        }),
      ),
    }),
  ),
});
export type HistoryView = Static<typeof HistoryView>;

export const JournalEntry = Strict({
  rev: Rev,
  epoch: Rev,
  at: Moment,
  actor: Type.String(),
  kind: Type.String(),
  name: Type.String(),
  op: OneOf(['put', 'delete', 'epoch']),
  did: OneOf(['create', 'update', 'delete', 'epoch'], {
    description: 'The same for people: whether a put made something new',
  }),
  digest: Type.String(),
  chain: Sha256,
  body: Type.Union([Type.String(), Type.Null()]),
});
export type JournalEntry = Static<typeof JournalEntry>;

/** Every type of event that a manager of this version tells, the families together. */
export const eventTypes: readonly string[] = [
  ...['journal.put', 'journal.delete', 'journal.epoch'],
  ...results.map((result) => `unit.${result}`),
  ...['check.up', 'check.down', 'alarm.raised', 'alarm.cleared', 'service.restarted'],
  ...['drift.repaired', 'drift.reported', 'fight'],
  ...['pool.member', 'pool.opinion', 'pool.fallback', 'pool.served', 'pool.guard'],
  ...['node.online', 'node.offline', 'node.heard', 'node.silent', 'node.left'],
  ...['trust.refused', 'join.refused', 'join.waiting', 'join.accepted', 'join.declined'],
  ...['identity.changed', 'identity.trusted', 'identity.cloned'],
  ...['invite.made', 'invite.revoked', 'token.made', 'token.revoked', 'backup.made'],
  ...['storage.begun', 'storage.phase', 'storage.moved', 'storage.reverted'],
  ...['manager.held', 'manager.resumed'],
  ...['queue.halted', 'queue.mended', 'queue.skipped', 'queue.cancelled', 'queue.expired'],
  ...['queue.paused', 'queue.resumed', 'run.stopped', 'run.resumed', 'run.ended'],
  ...['schedule.missed', 'schedule.skipped', 'schedule.refused', 'schedule.asked', 'schedule.reset'],
  ...['webhook.failing', 'webhook.delivered'],
];

/** One line of the event stream: journal entries and happenings, merged. `id` resumes the stream (Last-Event-ID). */
export const EventLine = Strict({
  id: Type.String(),
  at: Moment,
  type: Type.String(),
  severity: OneOf(['info', 'warning', 'error']),
  node: Type.Optional(Name),
  subject: Type.String(),
  message: Type.String(),
  data: Type.Optional(Type.Unknown()),
});
export type EventLine = Static<typeof EventLine>;

export const ManagerState = Strict({
  version: Type.String(),
  release: Type.String({ description: 'What it gives to nodes; empty where it runs from a checkout' }),
  protocol: Type.Integer(),
  cluster: Type.String(),
  epoch: Rev,
  revision: Rev,
  /** held: read-only, nothing is published, until `resume`. */
  mode: OneOf(['serving', 'held']),
  reason: Type.Optional(Type.String()),
  /** While held after a restore: what nodes have that the store has not. */
  ahead: Type.Array(Strict({ node: Name, scope: ScopeName, epoch: Rev, rev: Rev })),
  address: Type.String(),
  ports: Strict({
    api: Type.Integer(),
    machines: Type.Integer(),
    broker: Type.Integer(),
    fallback: Type.Integer(),
  }),
});
export type ManagerState = Static<typeof ManagerState>;
