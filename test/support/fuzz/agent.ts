/** A node's side of the fuzz: its real parts on a disk of their own and over wires of their own; it can die at any moment. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createUnits, type Units } from '../../../agent/converge/units.ts';
import { createWatch } from '../../../agent/drift/watch.ts';
import { createExecutables } from '../../../agent/drivers/executables.ts';
import { createRun } from '../../../agent/drivers/run.ts';
import { createKernel } from '../../../agent/kernel/kernel.ts';
import { createLink, type Link, type LinkDesired, type LinkOptions } from '../../../agent/link/link.ts';
import { createDesired, type Desired } from '../../../agent/state/desired.ts';
import { systemClock } from '../../../common/clock.ts';
import { quiet } from '../courier.ts';
import { breakDisk, type DiskFault } from './disk.ts';
import type { Wire } from './wire.ts';

export interface Paths {
  state: string;
  run: string;
  log: string;
}

export interface AgentOptions {
  identity: Omit<LinkOptions['identity'], 'address' | 'ports'>;
  /** Its box: what its Node says of it as well. */
  paths: Paths;
  wires: { broker: Wire; machines: Wire };
  /** How the link sees the desired state: a test may put something in between. */
  wear?: (desired: Desired) => LinkDesired;
}

export interface Agent {
  start(): Promise<void>;
  /** Ends it without a word, at whatever it does just now, with what that leaves on its disk. */
  kill(leaves: DiskFault): Promise<void>;
  /** Ends it as a service manager would. */
  stop(): Promise<void>;
  isUp(): boolean;
  /** What it keeps, and what its link believes that it keeps. @throws when it is dead */
  desired(): Desired;
  believes(): LinkDesired;
  /** Of all its lives. */
  counts(): { inline: number; pulls: number; mismatches: number; refused: number };
}

interface Life {
  desired: Desired;
  believes: LinkDesired;
  link: Link;
  /** From then on nothing that still runs gets any further. */
  end(): void;
  stopLink(): Promise<void>;
  stopUnits(): Promise<void>;
  stopDesired(): Promise<void>;
}

export function createAgent({ identity, paths, wires, wear = (desired) => desired }: AgentOptions): Agent {
  const { node } = identity;
  const before = { inline: 0, pulls: 0, mismatches: 0, refused: 0 };
  const endings: Promise<void>[] = [];
  let life: Life | undefined;
  const alive = (): Life => {
    if (!life) throw new Error(`${node} is dead`);
    return life;
  };
  /** As agent.ts does it, without what only a director and its probes need. */
  const begin = async (): Promise<Life> => {
    await mkdir(paths.state, { recursive: true });
    const death = createDeath(node);
    const desired = createDesired({ folder: paths.state, log: quiet });
    const believes = death.strikes(wear(desired));
    const stopDesired = await desired.start();
    const units = unitsOn({ node, paths, desired, checkpoint: death.check });
    const ports = { broker: wires.broker.port, machines: wires.machines.port };
    const link = createLink({
      identity: { ...identity, address: '127.0.0.1', ports },
      desired: believes,
      handlers: {
        applied: units.applied,
        pool: () => undefined,
        lease: () => undefined,
        ask: async ({ id, what }) => ({ id, what, units: await units.plan() }),
        hello: units.say,
        refused: () => undefined,
      },
      beat: () => ({ ok: isWell(units) }),
      version: '0.1.0',
      clock: systemClock,
      log: quiet,
    });
    const stopUnits = await units.start();
    const stopLink = link.start();
    return { desired, believes, link, end: death.now, stopLink, stopUnits, stopDesired };
  };
  const counts = () => {
    const now = life?.link.counts();
    const sum = (key: keyof typeof before) => before[key] + (now?.[key] ?? 0);
    return {
      inline: sum('inline'),
      pulls: sum('pulls'),
      mismatches: sum('mismatches'),
      refused: sum('refused'),
    };
  };
  const bury = () => {
    Object.assign(before, counts());
    life = undefined;
  };
  return {
    start: async () => {
      for (const wire of Object.values(wires)) wire.mend();
      life = await begin();
    },
    kill: async (leaves) => {
      const { end, stopLink, stopUnits, stopDesired } = alive();
      for (const wire of Object.values(wires)) wire.sever();
      end();
      bury();
      endings.push(stopLink());
      await stopUnits();
      await stopDesired();
      await breakDisk(paths.state, leaves);
    },
    stop: async () => {
      const last = life;
      bury();
      await last?.stopLink();
      await last?.stopUnits();
      await last?.stopDesired();
      await Promise.all(endings);
    },
    isUp: () => life !== undefined,
    desired: () => alive().desired,
    believes: () => alive().believes,
    counts,
  };
}

type UnitsOn = Pick<Parameters<typeof createUnits>[0], 'desired' | 'checkpoint'> & {
  node: string;
  paths: Paths;
};

/** Its units have no daemons and no checks. Nobody sweeps: what is not converged by messages alone must show. */
const unitsOn = ({ node, paths, desired, checkpoint }: UnitsOn): Units =>
  createUnits({
    node,
    config: { paths, places: [] },
    desired,
    executables: createExecutables({}),
    kernel: createKernel({
      folder: paths.state,
      aside: join(paths.run, 'mounts'),
      allowed: { sysctls: [], modules: [], devices: [], folders: [] },
      run: createRun({ executables: createExecutables({}), clock: systemClock }),
      clock: systemClock,
      log: quiet,
    }),
    runChecks: async () => ({ ok: true, failures: [] }),
    hooks: {
      beforeReload: async () => undefined,
      reloaded: () => undefined,
      died: () => undefined,
      serving: () => undefined,
    },
    report: () => undefined,
    watch: createWatch({ clock: systemClock, log: quiet }),
    sweep: { start: () => () => undefined },
    clock: systemClock,
    log: quiet,
    checkpoint,
  });

/** What each beat asks: a unit that has not seen the desired state as it is now is asked to look. */
function isWell(units: Units): boolean {
  const states = units.state();
  for (const { unit, current } of states) if (!current) units.put(unit);
  return states.every(({ ok, current }) => ok && current);
}

/** A death: after it the desired state takes nothing more, and no step of a pass begins or ends. */
function createDeath(node: string) {
  let dead = false;
  const gone = () => new Error(`the process of ${node} is dead`);
  const whileAlive =
    <A extends unknown[], R>(work: (...given: A) => Promise<R>) =>
    (...given: A): Promise<R> =>
      dead ? Promise.reject(gone()) : work(...given);
  return {
    now: () => {
      dead = true;
    },
    check: () => {
      if (dead) throw gone();
    },
    strikes: (desired: LinkDesired): LinkDesired => ({
      ...desired,
      apply: whileAlive(desired.apply),
      drop: whileAlive(desired.drop),
    }),
  };
}
