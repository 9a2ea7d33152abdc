/** What the agent answers on its own box, at the socket in its run folder, which only root may open: `evenkeel local`. */
import { type Static, type TSchema, Type } from 'typebox';
import { UnitPlan } from './messages.ts';
import { Moment, Name, OneOf, Port, Reason, Strict } from './values.ts';

/** Root's word on this box: nothing is changed here until it is taken back, whatever the cluster wants. */
export const LocalHold = Strict({ reason: Reason, since: Moment });
export type LocalHold = Static<typeof LocalHold>;

/** That this box has left its cluster, or is about to: since when, why, and which units go. The others stay, as plain files. */
export const Left = Strict({
  node: Name,
  cluster: Type.String(),
  manager: Strict({ address: Type.String(), port: Port }),
  why: OneOf(['asked', 'removed']),
  since: Moment,
  /** Units that serve the cluster alone: its addresses, its balancing, its shared storage. */
  goes: Type.Array(Name),
  /** All of it is done. */
  done: Type.Boolean(),
});
export type Left = Static<typeof Left>;

/** What would become of each unit. */
export const Leaving = Strict({ goes: Type.Array(Name), stays: Type.Array(Name) });
export type Leaving = Static<typeof Leaving>;

export const LocalService = Strict({
  unit: Name,
  service: Type.String(),
  /** Null when it does not run. */
  pid: Type.Union([Type.Integer(), Type.Null()]),
});
export type LocalService = Static<typeof LocalService>;

export const LocalStatus = Strict({
  node: Name,
  /** Where the manager is, and whether it is reached now. */
  manager: Strict({ address: Type.String(), port: Type.Integer(), connected: Type.Boolean() }),
  version: Type.String(),
  /** Null for a box that has left. */
  certificateExpires: Type.Union([Moment, Type.Null()]),
  left: Type.Union([Left, Type.Null()]),
  roles: Type.Array(Type.String()),
  hold: Type.Union([LocalHold, Type.Null()]),
  units: Type.Array(
    Strict({
      unit: Name,
      result: Type.String(),
      /** Its last pass saw the desired state as it is now. */
      current: Type.Boolean(),
      error: Type.String(),
      held: Type.Array(Type.String()),
    }),
  ),
  checks: Type.Array(
    Strict({ unit: Name, check: Type.String(), state: Type.String(), detail: Type.String() }),
  ),
  services: Type.Array(LocalService),
});
export type LocalStatus = Static<typeof LocalStatus>;

/** A site of this box, and whether it is served as it is declared. */
export const LocalSite = Strict({
  name: Name,
  aliases: Type.Array(Type.String()),
  serves: OneOf(['as-declared', 'last-good', 'nothing', 'not-known']),
  reason: Type.String(),
});
export type LocalSite = Static<typeof LocalSite>;

/** A package that the roles of this box need; null where nobody can say whether it is installed. */
export const LocalPackage = Strict({
  name: Type.String(),
  installed: Type.Union([Type.Boolean(), Type.Null()]),
});
export type LocalPackage = Static<typeof LocalPackage>;

export const localApi = {
  status: { method: 'GET', path: '/status', answer: LocalStatus },
  sites: { method: 'GET', path: '/sites', answer: Strict({ sites: Type.Array(LocalSite) }) },
  packages: {
    method: 'GET',
    path: '/packages',
    /** Null where nobody knows the packages of the distribution. */
    answer: Strict({ packages: Type.Union([Type.Array(LocalPackage), Type.Null()]) }),
  },
  plan: { method: 'GET', path: '/plan', answer: Strict({ units: Type.Array(UnitPlan) }) },
  restart: {
    method: 'POST',
    path: '/restart',
    body: Strict({ unit: Name }),
    answer: Strict({ asked: Type.Boolean() }),
  },
  hold: {
    method: 'POST',
    path: '/hold',
    body: Strict({ reason: Reason }),
    answer: Strict({ hold: LocalHold }),
  },
  release: { method: 'POST', path: '/release', answer: Strict({ released: Type.Boolean() }) },
  leaving: { method: 'GET', path: '/leaving', answer: Leaving },
  leave: {
    method: 'POST',
    path: '/leave',
    body: Strict({ alone: Type.Boolean({ description: 'The manager is not told' }) }),
    answer: Strict({ left: Left }),
  },
} as const;
export type LocalName = keyof typeof localApi;
export type LocalAnswer<N extends LocalName> = Static<(typeof localApi)[N]['answer']>;
export type LocalBody<N extends LocalName> = (typeof localApi)[N] extends { body: infer B extends TSchema }
  ? Static<B>
  : undefined;

/** In the run folder. */
export const LOCAL_SOCKET = 'agent.sock';
