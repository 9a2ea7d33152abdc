/**
 * Balance: keeps a balancer's pools as they should be. Whatever happens (a pool state, a lease that ends, a probe, a
 * hand on the socket, a reload) only asks for another pass; each pass reads, decides, changes, and reads back.
 */
import type { BalancerDriver, ServerRow, WantedServer } from '../common/balancer.ts';
import type { Clock } from '../common/clock.ts';
import type { Verdict } from '../common/health/judge.ts';
import type { Membership } from '../common/health/membership.ts';
import type { Log } from '../common/log.ts';
import { createLoop } from '../common/loop.ts';
import type { ResolvedCheck } from '../common/render/resolved.ts';
import { messageOf } from '../protocol/errors.ts';
import type { Lease, PoolState } from '../protocol/messages.ts';
import { type Decide, decidePool } from './balance/decide.ts';
import { createHeard, type Said } from './balance/heard.ts';
import { createListeners } from './balance/listeners.ts';
import { nothingKnown, type PoolMemory } from './balance/memory.ts';
import { type ActualMember, membersUnknown, readBack, reportMembers } from './balance/readback.ts';
import { createReporter, type PoolReportBody } from './balance/reports.ts';
import {
  backendsOf,
  type Member,
  memberOf,
  membersOf,
  type Service,
  targetsOf,
  worst,
} from './balance/targets.ts';

/** The director's own probes: `unit` is the service. */
export interface MemberProbes {
  set(unit: string, checks: readonly ResolvedCheck[], begin?: (check: ResolvedCheck) => Verdict): void;
  onChange(listener: (unit: string) => void): () => void;
  current(): { unit: string; check: string; state: Verdict; detail: string }[];
  hurry(ms: number): void;
}

export interface BalanceOptions {
  driver: BalancerDriver;
  /** What is declared, from the agent's own disk: it holds with no manager in reach. */
  desired: {
    virtualServices(): readonly Service[];
    nodes(): readonly Member[];
    /** Where nodes have their health listener. */
    healthPort(): number;
  };
  probes: MemberProbes;
  /** Takes what the balancer really has to the manager. */
  send: (report: PoolReportBody) => void;
  clock: Clock;
  log: Log;
  /** Milliseconds between two passes when nothing happens. */
  sweep?: number;
  decide?: Decide;
}

export interface Balance {
  /** Takes a pool state whose signature and cluster were checked. One that is older than what is known is ignored. */
  poolState(state: PoolState): void;
  lease(lease: Lease): void;
  /** What is declared has changed, or the balancer has been reloaded: have a look. */
  look(): void;
  /** Probes at half the interval for a while. */
  hurry(): void;
  /** Says everything again: the manager may have forgotten it. */
  connected(): void;
  start(): () => Promise<void>;
}

interface Pool {
  service: Service;
  members: readonly Member[];
}

interface Decided extends Pool {
  /** What this director's own probes say, by node. */
  seen: ReadonlyMap<string, Verdict>;
  /** Of those that fail, at which ports and how. */
  failures: ReadonlyMap<string, string>;
  verdict: Membership;
  memory: PoolMemory;
}

const KEY = 'pools';
const HURRY_MS = 10_000;
const NOT_RUNNING_AGAIN_MS = 500;
/** A restart is over sooner. */
const SILENT_MS = 1_500;

export function createBalance(options: BalanceOptions): Balance {
  const { driver, desired, probes, send, clock, log, sweep = 2000, decide } = options;
  const reporter = createReporter({ clock, send });
  const heard = createHeard({
    clock,
    onLapse: () => {
      log.warn('the lease of the manager has run out: its opinions do not count until it is heard again');
      loop.put(KEY);
    },
  });
  const listeners = createListeners({
    quiet: () => poolsNow().filter(({ service }) => heard.quiet(service.name)),
    port: desired.healthPort,
    changed: () => loop.put(KEY),
    clock,
    log,
  });
  const loop = createLoop({ clock, log, work: () => pass(), backoff: { first: 250, cap: 2000 } });
  let runs = true;
  let silentSince: number | null = null;
  /** What is remembered of each pool. It is not moved while the balancer does not answer. */
  let memories: ReadonlyMap<string, PoolMemory> = new Map();
  /** The services that are probed. */
  let aimed: string[] = [];

  const pass = async () => {
    const pools = poolsNow();
    const found = await driver.read().catch((err: unknown) => {
      noteSilence(pools, messageOf(err));
      throw err;
    });
    noteRunning(found !== null);
    aim(pools, found);
    if (found === null) {
      noteSilence(pools, 'the balancer does not run');
      return { againAfter: NOT_RUNNING_AGAIN_MS };
    }
    silentSince = null;
    const decided = decideAll(pools, found);
    memories = new Map(decided.map(({ service, memory }) => [service.name, memory]));
    const changes = driver.plan(decided.flatMap(wantedOf), found, sharesOf(decided));
    const failure = changes.length > 0 ? await change(changes) : undefined;
    const after = changes.length > 0 ? await driver.read() : found;
    await driver.keep();
    const wait = report(decided, after ?? []);
    if (failure !== undefined) throw failure;
    return { againAfter: Math.min(sweep, wait, driver.soon?.() ?? sweep) };
  };
  /** What it had is not what it has: of a balancer that does not answer nothing is known, and that is what is said. */
  const noteSilence = (pools: readonly Pool[], why: string) => {
    silentSince ??= clock.monotonic();
    if (clock.monotonic() - silentSince < SILENT_MS) return;
    for (const decided of decideAll(pools, []))
      offer(decided, membersUnknown(decided.verdict, decided.seen, why), false);
  };
  const poolsNow = (): Pool[] => {
    const nodes = desired.nodes();
    return desired.virtualServices().map((service) => ({ service, members: membersOf(service, nodes) }));
  };
  const change = async (changes: string[]): Promise<unknown> => {
    log.info({ changes: changes.slice(0, 50), count: changes.length }, 'changing the balancer');
    // What could not be changed is thrown when it has been reported what there is instead.
    return driver.apply(changes).then(
      () => undefined,
      (err: unknown) => err,
    );
  };
  const noteRunning = (now: boolean) => {
    if (now === runs) return;
    runs = now;
    log.warn({ runs }, now ? 'the balancer runs' : 'the balancer does not run');
  };
  /** Sets the probes. A member that the balancer has out, or does not have yet, must first prove itself. */
  const aim = (pools: readonly Pool[], found: ServerRow[] | null) => {
    for (const { service, members } of pools) {
      const actual = found && actualOf({ service, members }, found);
      const begin = (check: ResolvedCheck): Verdict => {
        const admin = actual?.get(memberOf(check.name))?.admin;
        return admin === 'maint' || admin === null ? 'down' : 'unknown';
      };
      const targets = members.flatMap((member) => targetsOf(service, member));
      probes.set(service.name, targets, begin);
    }
    const names = pools.map(({ service }) => service.name);
    for (const name of aimed) if (!names.includes(name)) probes.set(name, []);
    aimed = names;
  };
  /** The manager; while it is silent, what its members say of themselves. */
  const saidOf = (service: string): Said | null => {
    const state = heard.of(service);
    return state?.fresh ? state : (listeners.of(service) ?? state);
  };
  const decideAll = (pools: readonly Pool[], found: ServerRow[]): Decided[] => {
    const states = probes.current();
    const verdicts = verdictsOf(states);
    const allFailures = failuresOf(states);
    return pools.map((pool) => {
      const { name } = pool.service;
      const seen = verdicts.get(name) ?? new Map<string, Verdict>();
      const memory = memories.get(name) ?? nothingKnown;
      const inputs = { ...pool, heard: saidOf(name), probes: seen, actual: actualOf(pool, found), memory };
      const time = { now: clock.now(), tick: clock.monotonic() };
      const failures = allFailures.get(name) ?? new Map<string, string>();
      const decided = decidePool({ ...inputs, ...time, ...(decide ? { decide } : {}) });
      return { ...pool, seen, failures, ...decided };
    });
  };
  const offer = ({ service }: Pool, members: PoolReportBody['members'], fallback: boolean) => {
    const { epoch = 0, seq = 0 } = heard.of(service.name)?.state ?? {};
    return reporter.offer({ type: 'pool', service: service.name, epoch, seq, fallback, members });
  };
  /** Returns how long a report must wait that comes too soon after the last one. */
  const report = (decided: readonly Decided[], rows: ServerRow[]): number => {
    const waits = decided.map((pool) => {
      const members = reportMembers(pool.verdict, actualOf(pool, rows), pool);
      return offer(pool, members, !members.some((member) => member.state === 'up' && member.weight > 0));
    });
    return Math.min(...waits.map((wait) => wait ?? Number.POSITIVE_INFINITY));
  };

  return {
    poolState: (state) => {
      if (heard.accept(state)) loop.put(KEY);
    },
    lease: (lease) => {
      if (heard.renew(lease)) loop.put(KEY);
    },
    look: () => loop.put(KEY),
    hurry: () => probes.hurry(HURRY_MS),
    connected: () => {
      reporter.again();
      loop.put(KEY);
    },
    start: () => {
      const undo = probes.onChange(() => loop.put(KEY));
      const stopListeners = listeners.start();
      loop.put(KEY);
      return async () => {
        undo();
        heard.stop();
        await stopListeners();
        await loop.stop();
      };
    },
  };
}

const actualOf = ({ service, members }: Pool, rows: readonly ServerRow[]): Map<string, ActualMember> =>
  readBack(
    backendsOf(service),
    members.map(({ name }) => name),
    rows,
  );

/** What the probes say: by service, then by node. */
function verdictsOf(states: ReturnType<MemberProbes['current']>): Map<string, Map<string, Verdict>> {
  const found = new Map<string, Map<string, Verdict>>();
  for (const { unit, check, state } of states) {
    const nodes = found.get(unit) ?? new Map<string, Verdict>();
    const node = memberOf(check);
    const before = nodes.get(node);
    nodes.set(node, before === undefined ? state : worst([before, state]));
    found.set(unit, nodes);
  }
  return found;
}

/** How those fail that do: by service, then by node. */
function failuresOf(states: ReturnType<MemberProbes['current']>): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  for (const { unit, check, state, detail } of states) {
    if (state !== 'down') continue;
    const nodes = found.get(unit) ?? new Map<string, string>();
    const node = memberOf(check);
    const before = nodes.get(node);
    const text = `port ${check.slice(node.length + 1)}: ${detail}`;
    nodes.set(node, before === undefined ? text : `${before}, ${text}`);
    found.set(unit, nodes);
  }
  return found;
}

const wantedOf = ({ service, verdict, seen }: Decided): WantedServer[] =>
  backendsOf(service).flatMap((backend) =>
    verdict.members.map(({ node, state, weight }) => ({
      backend,
      server: node,
      state,
      weight,
      probe: seen.get(node) ?? 'unknown',
    })),
  );

const sharesOf = (decided: readonly Decided[]): Map<string, number> =>
  new Map(decided.map(({ service, verdict }) => [service.name, verdict.fallbackShare]));
