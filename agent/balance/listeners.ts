/**
 * Listeners: what members say of themselves while the manager says nothing. Each member is asked every second at its
 * health listener, and judged as a probe is. Silence says nothing: who does not answer is forgotten, never down.
 */
import { request } from 'node:http';
import type { Clock } from '../../common/clock.ts';
import { createGate } from '../../common/gate.ts';
import { type Judgement, judge, unjudged } from '../../common/health/judge.ts';
import { type MassFailure, massFailure, noFailure } from '../../common/health/mass.ts';
import { operatorWord } from '../../common/health/operator.ts';
import type { Log } from '../../common/log.ts';
import { createLoop } from '../../common/loop.ts';
import type { Said } from './heard.ts';
import type { Member, Service } from './targets.ts';

/** A pool about which the manager has gone quiet. */
export interface QuietPool {
  service: Service;
  members: readonly Member[];
}

export interface ListenersOptions {
  /** Whom to ask now; those of other pools are forgotten. */
  quiet: () => readonly QuietPool[];
  /** Where all nodes have their health listener. */
  port: () => number;
  /** Called when what they say has changed. */
  changed: () => void;
  clock: Clock;
  log: Log;
}

export interface Listeners {
  /** What the members of a pool say of themselves; null while they are not asked. */
  of(service: string): Said | null;
  start(): () => Promise<void>;
}

/** What is known of the members of one pool. */
interface Asked {
  members: readonly Member[];
  /** By node. */
  judged: Map<string, Judgement>;
  /** How often in a row each was silent. */
  silent: Map<string, number>;
  mass: MassFailure;
}

const EVERY_MS = 1_000;
const TIMEOUT_MS = 500;
/** How many are asked at the same time. */
const WIDTH = 64;
const KEY = 'listeners';

export function createListeners({ quiet, port, changed, clock, log }: ListenersOptions): Listeners {
  const asked = new Map<string, Asked>();
  const gate = createGate(WIDTH);

  const turn = async () => {
    const begun = clock.monotonic();
    const pools = quiet();
    const before = gistOf(asked);
    for (const name of asked.keys())
      if (!pools.some(({ service }) => service.name === name)) asked.delete(name);
    const questions = pools.flatMap((pool) => pool.members.map((member) => ({ pool, member })));
    const answerOf = askingOnce();
    await Promise.all(
      questions.map(async ({ pool, member }) => take(pool, member, await answerOf(pool, member))),
    );
    for (const pool of pools) weigh(pool);
    if (gistOf(asked) !== before) changed();
    return { againAfter: Math.max(0, begun + EVERY_MS - clock.monotonic()) };
  };
  /** However many services have a pool of the same role and check, a member answers once a turn: its pace is bounded. */
  const askingOnce = () => {
    const answers = new Map<string, Promise<number | null>>();
    return ({ service }: QuietPool, { spec }: Member): Promise<number | null> => {
      const { role, check } = service.spec.pool;
      const to = { host: spec.address, port: port(), path: `/health/${check}?role=${role}` };
      const question = `${to.host} ${to.path}`;
      const answer = answers.get(question) ?? gate(() => ask(to, clock));
      answers.set(question, answer);
      return answer;
    };
  };
  const stateOf = ({ service, members }: QuietPool): Asked => {
    const known = asked.get(service.name) ?? { judged: new Map(), silent: new Map(), mass: noFailure };
    const state = { ...known, members };
    for (const name of known.judged.keys())
      if (!members.some((member) => member.name === name)) known.judged.delete(name);
    asked.set(service.name, state);
    return state;
  };
  const take = (pool: QuietPool, { name }: Member, answer: number | null) => {
    const { judged, silent } = stateOf(pool);
    const { probe } = pool.service.spec.pool;
    const now = clock.monotonic();
    if (answer === 200 || answer === 503) {
      silent.delete(name);
      judged.set(name, judge(judged.get(name) ?? unjudged(now), answer === 200, probe, now));
      return;
    }
    silent.set(name, (silent.get(name) ?? 0) + 1);
    if ((silent.get(name) ?? 0) >= probe.fall) judged.delete(name);
  };
  /** The same guard as the manager's: when most fall at once, it is not they. */
  const weigh = (pool: QuietPool) => {
    const state = stateOf(pool);
    const open = pool.members.filter(({ spec }) => operatorWord(spec, clock.now()).operator === 'none');
    const down = open.filter(({ name }) => state.judged.get(name)?.state === 'down').map(({ name }) => name);
    state.mass = massFailure(state.mass, down, open.length, clock.monotonic());
  };
  const loop = createLoop({ clock, log, work: turn });
  return {
    of: (service) => {
      const state = asked.get(service);
      return state ? saidBy(state) : null;
    },
    start: () => {
      loop.put(KEY);
      return loop.stop;
    },
  };
}

/** As the manager would say it. An operator's word is not theirs to say: it is declared. */
const saidBy = ({ members, judged, mass }: Asked): Said => ({
  state: {
    members: members.map(({ name, spec: { address, weight } }) => ({
      ...{ node: name, address, weight, operator: 'none', reasons: [] },
      opinion: opinions[judged.get(name)?.state ?? 'unknown'],
    })),
    probesOnly: mass.tripped,
  },
  age: 0,
  fresh: true,
});

const opinions = { unknown: 'none', up: 'up', down: 'down' } as const;

const gistOf = (asked: ReadonlyMap<string, Asked>): string =>
  JSON.stringify([...asked].map(([service, state]) => [service, saidBy(state).state]));

/** The status of the answer; null where there is none in time. */
const ask = (to: { host: string; port: number; path: string }, clock: Clock): Promise<number | null> =>
  new Promise((resolve) => {
    const sent = request({ ...to, agent: false }, (response) => {
      resolve(response.statusCode ?? null);
      response.destroy();
    });
    const undo = clock.after(TIMEOUT_MS, () => sent.destroy());
    // Whoever cannot be reached is as silent as who does not answer.
    sent.once('error', () => resolve(null));
    sent.once('close', () => {
      undo();
      resolve(null);
    });
    sent.end();
  });
