/**
 * The contract of a balancer's driver: what each of them promises, told apart only by its bench. Without a test runner, so
 * that it can be kept in a box whose kernel has IPVS as well as on any machine.
 */
import { deepStrictEqual } from 'node:assert/strict';
import type { BalancerDriver, WantedServer } from '../../common/balancer.ts';
import { messageOf } from '../../protocol/errors.ts';
import { until } from '../support/until.ts';

export const MEMBERS = ['n1', 'n2'] as const;
type Member = (typeof MEMBERS)[number];

export interface BalancerBench {
  /** One look, as the balance takes it: makes it so as far as it can. Returns what there was to do. */
  pass(wishes: Wishes): Promise<string[]>;
  /** What is read back of each member: what it was told, its weight, whether it takes connections. */
  rows(): Promise<Record<string, unknown[]>>;
  /** What the balancer has, by its own tools and not by the driver: `100`, `0` for a drain, `out`. */
  shows(): Promise<Record<string, string>>;
  /** Somebody takes n1 out behind the driver's back. */
  takeOut(): Promise<void>;
  /** Somebody gives n2 the weight 7. */
  weigh(): Promise<void>;
  /** The daemon is killed and started again; where there is none, the agent is. */
  restart(): Promise<void>;
}

type Wish = [state: WantedServer['state'], weight: number];
export type Wishes = Record<Member, Wish>;
export type Promises = Record<string, (bench: BalancerBench) => Promise<void>>;

const UP: Wish = ['up', 100];
const DOWN: Wish = ['down', 0];
const DRAIN: Wish = ['drain', 0];
/** A pass comes at least so often, and a driver that waits for its daemon's own checks needs several. */
const PATIENCE_MS = 20_000;
const SWEEP_MS = 200;

/** By a driver of the agent, whose one backend has the members n1 and n2. */
export const byDriver = (
  driver: () => BalancerDriver,
  backend: string,
): Pick<BalancerBench, 'pass' | 'rows'> => ({
  pass: async (wishes) => {
    const rows = await driver().read();
    if (rows === null) return ['it does not run'];
    const wanted = MEMBERS.map((server): WantedServer => {
      const [state, weight] = wishes[server];
      return { backend, server, state, weight, probe: state === 'down' ? 'down' : 'up' };
    });
    const changes = driver().plan(wanted, rows);
    if (changes.length > 0) await driver().apply(changes);
    await driver().keep();
    return changes;
  },
  rows: async () =>
    Object.fromEntries(
      ((await driver().read()) ?? [])
        .filter(({ server }) => MEMBERS.some((member) => member === server))
        .map(({ server, admin, weight, running }) => [
          server,
          [admin, admin === 'ready' ? weight : 0, running],
        ]),
    ),
});

/** Passes until the balancer shows it and there is nothing left to do. */
async function settle(bench: BalancerBench, wishes: Wishes, expected: object): Promise<void> {
  let shown: object = {};
  const isSo = async () => {
    // What fails is tried again, as the balance does: the daemon may write the table at the same moment.
    const changes = await bench.pass(wishes).catch((err: unknown) => [messageOf(err)]);
    shown = await bench.shows();
    const same = JSON.stringify(shown) === JSON.stringify(expected);
    if (!same || changes.length > 0) await new Promise((resolve) => setTimeout(resolve, SWEEP_MS));
    return same && changes.length === 0;
  };
  await until('the balancer has what is wanted', isSo, PATIENCE_MS).catch(() =>
    deepStrictEqual(shown, expected),
  );
}

const ALL = { n1: UP, n2: UP };
const all = { n1: '100', n2: '100' };

export const promises: Promises = {
  'takes in who is wanted, with the weight that is wanted, and then has nothing to do': async (bench) => {
    await settle(bench, { n1: ['up', 30], n2: ['up', 200] }, { n1: '30', n2: '200' });
    deepStrictEqual(await bench.pass({ n1: ['up', 30], n2: ['up', 200] }), []);
    await settle(bench, ALL, all);
  },
  'reads back what the balancer has': async (bench) => {
    await settle(bench, ALL, all);
    deepStrictEqual(await bench.rows(), { n1: ['ready', 100, true], n2: ['ready', 100, true] });
    await settle(bench, { ...ALL, n2: DRAIN }, { ...all, n2: '0' });
    deepStrictEqual((await bench.rows()).n2?.slice(0, 2), ['drain', 0]);
    await settle(bench, { ...ALL, n2: DOWN }, { ...all, n2: 'out' });
    deepStrictEqual((await bench.rows()).n2?.slice(0, 2), ['maint', 0]);
  },
  'takes out who is down and leaves the others as they are, also when it is the last': async (bench) => {
    await settle(bench, { ...ALL, n1: DOWN }, { ...all, n1: 'out' });
    await settle(bench, { n1: DOWN, n2: DOWN }, { n1: 'out', n2: 'out' });
    await settle(bench, ALL, all);
  },
  'keeps who drains without new connections, and takes it in again': async (bench) => {
    await settle(bench, { ...ALL, n1: DRAIN }, { ...all, n1: '0' });
    await settle(bench, ALL, all);
  },
  'undoes what a hand has done': async (bench) => {
    await settle(bench, ALL, all);
    await bench.takeOut();
    await bench.weigh();
    await settle(bench, ALL, all);
  },
  'keeps its verdicts through a restart': async (bench) => {
    const wishes: Wishes = { n1: DOWN, n2: ['up', 40] };
    await settle(bench, wishes, { n1: 'out', n2: '40' });
    await bench.restart();
    await settle(bench, wishes, { n1: 'out', n2: '40' });
    await settle(bench, ALL, all);
  },
};

/** Who cannot keep which of them, and why: lvs, ipvsadm and haproxy keep all. */
export const cannot: Record<'external', Record<string, string>> = {
  external: {
    'reads back what the balancer has': 'nobody of ours can ask a balancer that somebody else runs',
    'undoes what a hand has done': 'what hands do there is the matter of those whose hands they are',
  },
};
