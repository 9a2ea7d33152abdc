/**
 * Pools: derives the state of each virtual service's pool, publishes it signed and numbered, and renews its opinions
 * every second. A message that comes in only asks for another look: each look computes everything anew.
 */
import { type Clock, moment } from '../../common/clock.ts';
import { type MassFailure, noFailure } from '../../common/health/mass.ts';
import type { Membership } from '../../common/health/membership.ts';
import type { Log } from '../../common/log.ts';
import type { Declared } from '../../common/view.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { PoolMembers } from '../../protocol/external.ts';
import type { Envelope, Lease, PoolMember, PoolState } from '../../protocol/messages.ts';
import type { VirtualServiceSpec } from '../../protocol/resources/virtual-service.ts';
import { BALANCER_ROLE, topicOf } from '../../protocol/topics.ts';
import type { PoolView } from '../../protocol/views.ts';
import { compose, type DirectorReport, type NodeSaid, type PoolWorld } from './compose.ts';
import { judgePool } from './judge-pool.ts';
import { membersNow, type Numbers, withdrawn } from './members.ts';
import { type Happening, type Look, nothingSeen, transitions } from './transitions.ts';
import { poolView } from './view.ts';

/** What nodes said, as far as pools need it. */
export interface PoolObserved {
  of(node: string): NodeSaid | undefined;
  nodes(): string[];
  poolReports(service: string): DirectorReport[];
  onChange(listener: (node: string) => void): () => void;
}

export interface PoolsOptions {
  cluster: string;
  epoch: () => number;
  /** Numbers of pool states and leases begin here: greater than any that an earlier run in this epoch can have used. */
  firstNumber: number;
  world: PoolWorld;
  observed: PoolObserved;
  sign: (message: PoolState | Lease) => Envelope;
  publish: (topic: string, message: Envelope) => Promise<void>;
  /** Takes a retained message back. */
  clear: (topic: string) => Promise<void>;
  /** Asks a director to probe at half the interval for a while. */
  hint: (node: string, what: 'probe') => void;
  emit: (happening: Happening) => void;
  clock: Clock;
  log: Log;
  /** Milliseconds after the start in which nothing is published, unless every member has been heard. */
  grace?: number;
}

export interface Pools {
  /** Something may have changed: looks again, soon and once however often it is said. */
  touch(): void;
  views(): PoolView[];
  /** Who should be in each pool; none of a pool that was not judged yet. */
  members(): PoolMembers[];
  /** Called with the members of a pool whenever they are others than before. */
  onMembers(listener: (members: PoolMembers) => void): () => void;
  start(): () => void;
}

interface Pool {
  service: Declared<VirtualServiceSpec>;
  look: Look;
  mass: MassFailure;
  probesOnly: boolean;
  seq: number;
  /** What was published last, without what moves by itself; empty before the first time. */
  published: string;
  members: PoolMembers | undefined;
}

const LEASE_EVERY_MS = 1000;
export const LEASE_SECONDS = 5;
/** A burst of reports is one look: the first at once, the next after this. */
const LOOK_AT_MOST_EVERY_MS = 20;

/** Each start of a manager has numbers of its own, so that they rise across restarts with one write a start. */
export const firstNumberOf = (boot: number): number => boot * 1_000_000_000;

export function createPools(options: PoolsOptions): Pools {
  const { cluster, epoch, firstNumber, world, observed, sign, emit, clock, log, grace = 5000 } = options;
  const pools = new Map<string, Pool>();
  const silent = new Set<string>();
  const listeners = new Set<(members: PoolMembers) => void>();
  let number = firstNumber;
  let startedAt = clock.monotonic();
  let lookedAt = Number.NEGATIVE_INFINITY;
  let planned: (() => void) | undefined;

  const inGrace = () => clock.monotonic() - startedAt < grace;
  const touch = () => {
    const wait = Math.max(0, lookedAt + LOOK_AT_MOST_EVERY_MS - clock.monotonic());
    planned ??= clock.after(wait, () => {
      planned = undefined;
      lookAtAll();
    });
  };
  const lookAtAll = () => {
    lookedAt = clock.monotonic();
    const blind = isIsolated();
    const declared = world.virtualServices();
    for (const service of declared) lookAt(service, blind);
    for (const name of [...pools.keys()])
      if (!declared.some((service) => service.name === name)) withdraw(name);
    hurryDirectors();
  };
  const lookAt = (service: Declared<VirtualServiceSpec>, isolated: boolean) => {
    const pool = pools.get(service.name) ?? newPool(service);
    const members = compose({ service, world, said: (node) => observed.of(node), now: clock.now() });
    // What a director still says that no longer has the traffic is nothing to go by.
    const reports = isExternal() ? [] : observed.poolReports(service.name);
    const settled = members.every(({ opinion, operator }) => opinion !== 'none' || operator !== 'none');
    const waits = pool.published === '' && inGrace() && !settled;
    const verdict = judgePool({
      pool: service.spec.pool,
      members,
      reports,
      before: pool.mass,
      blind: isolated || waits,
      tick: clock.monotonic(),
    });
    const fallback =
      reports.length > 0 ? reports.some(({ report }) => report.fallback) : verdict.membership.fallback;
    const look: Look = { members, reports, fallback, warnings: verdict.membership.warnings };
    if (!waits) for (const happening of transitions(service.name, pool.look, look)) emit(happening);
    Object.assign(pool, { service, mass: verdict.mass, probesOnly: verdict.probesOnly });
    pool.look = waits ? { ...nothingSeen, members, reports } : look;
    pools.set(service.name, pool);
    if (waits) return;
    publishIfNew(pool);
    tell(pool, verdict.membership);
  };
  const isExternal = () => world.cluster()?.spec.balancer === 'external';
  const numbers = (): Numbers => ({ cluster, epoch: epoch(), next: () => ++number, at: moment(clock) });
  const tell = (pool: Pool, membership: Membership) => {
    const before = pool.members;
    pool.members = membersNow(before, pool.service, { wanted: pool.look.members, membership }, numbers());
    if (pool.members !== before) for (const listener of listeners) listener(pool.members);
  };
  const newPool = (service: Declared<VirtualServiceSpec>): Pool => ({
    service,
    look: nothingSeen,
    mass: noFailure,
    probesOnly: true,
    seq: 0,
    published: '',
    members: undefined,
  });
  /** More than half of all nodes fell silent: it is the manager that has lost its network, not they. */
  const isIsolated = () => {
    const nodes = observed.nodes();
    return nodes.filter((node) => observed.of(node)?.fresh !== true).length * 2 > nodes.length;
  };

  const publishIfNew = (pool: Pool) => {
    const { members } = pool.look;
    const content = JSON.stringify([
      epoch(),
      pool.probesOnly,
      members.map((member) => byMoment(member, clock.now())),
    ]);
    if (content === pool.published) return;
    pool.published = content;
    pool.seq = ++number;
    const state: PoolState = {
      type: 'pool-state',
      cluster,
      service: pool.service.name,
      epoch: epoch(),
      seq: pool.seq,
      members: [...members],
      probesOnly: pool.probesOnly,
      at: moment(clock),
    };
    send(options.publish(topicOf.pool(state.service), sign(state)), () => {
      if (pool.published === content) pool.published = UNSENT;
    });
  };
  const withdraw = (service: string) => {
    const told = pools.get(service)?.members;
    if (told) for (const listener of listeners) listener(withdrawn(told, numbers()));
    pools.delete(service);
    send(options.clear(topicOf.pool(service)));
  };
  const renew = () => {
    const lease: Lease = { type: 'lease', cluster, epoch: epoch(), n: ++number, seconds: LEASE_SECONDS };
    send(options.publish(topicOf.lease(), sign(lease)));
  };
  const send = (sent: Promise<void>, onFailure: () => void = () => undefined) => {
    sent.catch((err: unknown) => {
      log.error({ err: messageOf(err) }, 'a pool message could not be published');
      onFailure();
    });
  };

  /** Silence takes nobody out; it has the directors look more closely. */
  const hurryDirectors = () => {
    const now = observed.nodes().filter((node) => observed.of(node)?.fresh !== true);
    const fell = now.filter((node) => !silent.has(node) && isMember(node));
    silent.clear();
    for (const node of now) silent.add(node);
    if (fell.length === 0) return;
    for (const { name, spec } of world.nodes())
      if (spec.roles.includes(BALANCER_ROLE)) options.hint(name, 'probe');
  };
  const isMember = (node: string) =>
    [...pools.values()].some(({ look }) => look.members.some((member) => member.node === node));

  return {
    touch,
    views: () =>
      [...pools.values()]
        .map(({ service, seq, probesOnly, look }) => poolView({ service, seq, probesOnly, ...look }))
        .sort((a, b) => (a.service < b.service ? -1 : 1)),
    members: () => [...pools.values()].flatMap(({ members }) => members ?? []),
    onMembers: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    start: () => {
      startedAt = clock.monotonic();
      const undo = [
        observed.onChange(touch),
        clock.every(LEASE_EVERY_MS, () => {
          touch();
          // Before the first state of this run, the opinions of an earlier one are left to lapse.
          if (!inGrace() || [...pools.values()].every(({ published }) => published !== '')) renew();
        }),
      ];
      touch();
      return () => {
        planned?.();
        planned = undefined;
        for (const end of undo) end();
      };
    },
  };
}

/** Published, but the broker did not take it: the next look sends it again. */
const UNSENT = 'unsent';

/** A countdown moves all the time; the moment at which it ends does not. */
const byMoment = ({ drainLeft, ...rest }: PoolMember, now: number) => ({
  ...rest,
  ends: drainLeft === undefined || drainLeft === 0 ? drainLeft : now + drainLeft,
});
