/** The agent, put together by hand: which parts there are, what each is given, and the order in which they start. */
import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import { type Running, startAll } from '../common/lifecycle.ts';
import type { Log } from '../common/log.ts';
import { ownRelease } from '../common/own-release.ts';
import { VERSION } from '../common/version.ts';
import type { Left } from '../protocol/local.ts';
import type { Answer, Ask, Incarnation } from '../protocol/messages.ts';
import type { Config } from './config.ts';
import { createUnits, type Units } from './converge/units.ts';
import { createSweep } from './drift/sweep.ts';
import { createWatch } from './drift/watch.ts';
import { createExecutables } from './drivers/executables.ts';
import { createRun } from './drivers/run.ts';
import { incarnationOf } from './identity/box.ts';
import { type Identity, openIdentity } from './identity.ts';
import { createKernel } from './kernel/kernel.ts';
import { createLink, type LinkHandlers } from './link/link.ts';
import { createDoctor } from './preflight/doctor.ts';
import { createRunCheck } from './probe/check.ts';
import { createMissingDirectories } from './probe/directories.ts';
import { runChecks } from './probe/verify.ts';
import type { AgentQueue } from './queue/queue.ts';
import { createDesired } from './state/desired.ts';
import { createMover } from './storage/mover.ts';
import type { Upgrade } from './upgrade/upgrade.ts';
import { createChecks } from './wiring/checks.ts';
import { createDeparture } from './wiring/departure.ts';
import { createDirector, type Director } from './wiring/director.ts';
import { createExpected } from './wiring/expected.ts';
import { createSpeaker } from './wiring/listener.ts';
import { createLocal } from './wiring/local.ts';
import { createOwnQueue } from './wiring/queue.ts';
import { createOwnUpgrade } from './wiring/upgrade.ts';

export interface AgentOptions {
  config: Config;
  /** This box is no member any more: called once, when the manager knows or does not matter. */
  leave: (left: Left) => void;
  clock: Clock;
  log: Log;
}

/** Takes up the box as it is and keeps it as it should be, with or without a manager in reach. */
export async function startAgent(options: AgentOptions): Promise<Running> {
  const { config, clock, log } = options;
  const { state } = config.paths;
  const identity = await openIdentity({ folder: join(state, 'identity'), clock, log });
  const incarnation = await incarnationOf();
  const parts = wire({ ...options, identity, incarnation });
  const { local, desired, checks, units, speaker, director, expected, mover, departure, queue, link } = parts;
  const sayDamage = () => {
    const message = desired.damage();
    if (message === null) return;
    link.report({ type: 'alarm', code: 'store-damaged', subject: 'desired state', active: true, message });
  };
  return startAll(
    [
      { name: 'desired', start: desired.start },
      { name: 'checks', start: async () => checks.stop },
      { name: 'local', start: local.start },
      { name: 'units', start: units.start },
      { name: 'listener', start: async () => speaker.start() },
      { name: 'director', start: async () => director.start() },
      { name: 'expected', start: async () => expected.start() },
      { name: 'mover', start: async () => mover.start() },
      { name: 'departure', start: async () => departure.stop },
      { name: 'certificate', start: async () => identity.start(departure.doubt) },
      { name: 'queue', start: async () => queue.start() },
      {
        name: 'link',
        start: async () => {
          sayDamage();
          return link.start();
        },
      },
    ],
    { clock, log },
  );
}

interface WhoItIs {
  identity: Identity;
  incarnation: Incarnation;
}

function wire({ config, leave, clock, log, ...who }: AgentOptions & WhoItIs) {
  const { node, cluster } = who.identity;
  const { state, run } = config.paths;
  const desired = createDesired({ folder: state, log });
  const executables = createExecutables(config.executables);
  const execute = createRun({ executables, clock });
  const damaged = (message: string) =>
    report({ type: 'alarm', code: 'store-damaged', subject: 'kernel.json', active: true, message });
  const kernel = createKernel({
    ...{ folder: state, aside: join(run, 'mounts'), allowed: config.kernel },
    ...{ clock, log, run: execute, damaged },
  });
  const runCheck = createRunCheck({ clock, resolve: executables.resolve, differing: kernel.differingIn });
  const handlers = listening(() => ({
    ...{ units, checks, director, expected, speaker, mover, local, departure, upgrade, queue },
    answer,
  }));
  const beat = () => ({ ok: isWell(units) });
  const built = { version: VERSION, release: ownRelease()?.id };
  const link = createLink({ ...who, ...built, desired, handlers, beat, clock, log });
  const { report, traffic: say } = link;
  const checks = createChecks({ runCheck, report, failed: (unit) => units.put(unit), clock, log });
  const mover = createMover({
    ...{ node, cluster, desired, folder: join(state, 'storage') },
    ...{ run: execute, report, clock, log },
  });
  const missing = createMissingDirectories();
  const expected = createExpected({ node, desired, missing, report, clock, log });
  const director = createDirector({ node, desired, run, execute, runCheck, report, say, clock, log });
  const local = createLocal(() => ({
    ...{ identity: who.identity, version: VERSION, paths: config.paths, desired, units, checks },
    ...{ connected: link.connected, departure, report, clock, log },
  }));
  const held = () => local.hold() !== null;
  const { run: incarnation } = who.incarnation;
  const departure = createDeparture({
    ...{ identity: who.identity, run: incarnation, desired, leave, held, clock, log },
  });
  const units = createUnits({
    ...{ node, config, desired, executables, kernel, report, clock, log, rootHold: local.hold },
    runChecks: (list, how) => runChecks(list, { ...how, runCheck, clock }),
    hooks: {
      beforeReload: director.keep,
      reloaded: director.look,
      died: checks.confirm,
      serving: (unit, resolved) => checks.set(unit, resolved ?? []),
    },
    watch: createWatch({ clock, log }),
    sweep: createSweep({ ...config, clock }),
    checkpoint: checkpointOf(process.env),
  });
  const speaker = createSpeaker({ node, desired, units, checks, report, clock, log });
  const upgrade = createOwnUpgrade({ config, identity: who.identity, report, clock, log });
  const queue = createOwnQueue({ ...who, config, desired, executables, units, link, clock, log });
  const answer = answerer({ ...who, config, units, hurried: [checks, director], upgrade, queue });
  return { local, desired, checks, units, speaker, director, expected, mover, departure, queue, link };
}

/** Whom the link tells. */
interface Told {
  units: Pick<Units, 'applied' | 'say'>;
  checks: { again(): void };
  director: Pick<Director, 'look' | 'connected' | 'poolState' | 'lease'>;
  expected: { look(): void; again(): void };
  speaker: { look(): void; again(): void };
  mover: { look(): void; again(): void };
  local: { again(): void };
  departure: { doubt(): void };
  upgrade: Pick<Upgrade, 'connected'>;
  queue: Pick<AgentQueue, 'connected'>;
  answer: LinkHandlers['ask'];
}

/** @param told may be asked for only when the link speaks: its parts are made after it */
const listening = (told: () => Told): LinkHandlers => ({
  applied: (keys) => {
    const { units, director, expected, speaker, mover } = told();
    units.applied(keys);
    for (const part of [director, expected, speaker, mover]) part.look();
  },
  pool: (pool) => told().director.poolState(pool),
  lease: (lease) => told().director.lease(lease),
  ask: (ask) => told().answer(ask),
  refused: () => told().departure.doubt(),
  hello: () => {
    const { units, checks, director, expected, speaker, mover, local, upgrade, queue } = told();
    units.say();
    director.connected();
    upgrade.connected();
    queue.connected();
    for (const part of [checks, expected, speaker, mover, local]) part.again();
  },
});

/** All units are good and have seen the desired state as it is now; one that has not is asked to look. */
function isWell(units: Units): boolean {
  const states = units.state();
  for (const { unit, current } of states) if (!current) units.put(unit);
  return states.every(({ ok, current }) => ok && current);
}

interface Asked {
  config: Config;
  units: Units;
  /** Who looks again sooner than it would. */
  hurried: readonly { hurry(): unknown }[];
  identity: Identity;
  upgrade: Pick<Upgrade, 'begin' | 'check'>;
  queue: Pick<AgentQueue, 'ring'>;
}

/** What the manager may ask of this box: to look, to say, to try again, and to be replaced by another release. */
function answerer({ config, units, hurried, identity, upgrade, queue }: Asked) {
  const doctor = createDoctor({ ...config, manager: identity });
  const acts: Record<Ask['what'], (ask: Ask) => Promise<Partial<Answer>>> = {
    plan: async () => ({ units: await units.plan() }),
    retry: async () => {
      await units.retry();
      return {};
    },
    sweep: async () => {
      units.sweep({ contents: true });
      return {};
    },
    probe: async () => {
      for (const part of hurried) void part.hurry();
      return {};
    },
    doctor: ({ needs }) => doctor(needs),
    queue: async () => {
      queue.ring();
      return {};
    },
    upgrade: async ({ release }) => {
      await upgrade.begin(release);
      return {};
    },
    'upgrade-check': async ({ release }) => {
      await upgrade.check(release);
      return {};
    },
  };
  return async (ask: Ask): Promise<Answer> => {
    const { id, what } = ask;
    return { id, what, units: [], ...(await acts[what](ask)) };
  };
}

/**
 * Lets a test end the process the hard way at a step: `EVENKEEL_KILL_AT=activate:begin`, or `activate:begin:2` for the
 * second time. Undefined in every other run.
 */
function checkpointOf({ EVENKEEL_KILL_AT: at }: NodeJS.ProcessEnv) {
  if (at === undefined) return undefined;
  const [wanted, phase, nth = '1'] = at.split(':');
  let left = Number(nth);
  return (step: string, when: string) => {
    if (step !== wanted || when !== phase) return;
    left -= 1;
    if (left === 0) process.kill(process.pid, 'SIGKILL');
  };
}
