/** What the agent answers on its own box, at the socket in its run folder, which only root may open: `evenkeel local`. */
import { type Static, type TSchema, Type } from 'typebox';
import { UnitPlan } from './messages.ts';
import { Moment, Name, Reason, Strict } from './values.ts';

/** Root's word on this box: nothing is changed here until it is taken back, whatever the cluster wants. */
export const LocalHold = Strict({ reason: Reason, since: Moment });
export type LocalHold = Static<typeof LocalHold>;

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
  certificateExpires: Moment,
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

export const localApi = {
  status: { method: 'GET', path: '/status', answer: LocalStatus },
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
} as const;
export type LocalName = keyof typeof localApi;
export type LocalAnswer<N extends LocalName> = Static<(typeof localApi)[N]['answer']>;
export type LocalBody<N extends LocalName> = (typeof localApi)[N] extends { body: infer B extends TSchema }
  ? Static<B>
  : undefined;

/** In the run folder. */
export const LOCAL_SOCKET = 'agent.sock';
