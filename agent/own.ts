/** A box of its own: it has left its cluster, gives back what was the cluster's, and keeps serving what it had. */
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../common/clock.ts';
import { syncFolder } from '../common/files.ts';
import { type Running, startAll } from '../common/lifecycle.ts';
import type { Log } from '../common/log.ts';
import { VERSION } from '../common/version.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { type Left, LOCAL_SOCKET } from '../protocol/local.ts';
import type { Config } from './config.ts';
import { createExecutables } from './drivers/executables.ts';
import { createRun } from './drivers/run.ts';
import { createServiceDriver } from './drivers/services.ts';
import { createKernel } from './kernel/kernel.ts';
import { openLocalDoor } from './local/server.ts';
import { createKeeper, type Keeper } from './own/keep.ts';
import { goUnit, keepPlain, type LeaveTools, type OwnUnit } from './own/leave.ts';
import { FORMER, forgetFormer, isMember, writeLeft } from './own/left.ts';
import { statOf } from './state/disk.ts';
import { createPlaces } from './state/places.ts';
import { openRecord } from './state/record.ts';
import { createTrees } from './state/trees.ts';

export interface OwnOptions {
  config: Config;
  left: Left;
  /** This box has joined a cluster: called once. */
  joined: () => void;
  clock: Clock;
  log: Log;
}

/** How often it is looked whether the box has joined again, and tried again what could not be given back. */
const LOOK_MS = 2_000;
const AGAIN_MS = 5_000;

export function startOwn({ config, left: began, joined, clock, log }: OwnOptions): Promise<Running> {
  const { state, run } = config.paths;
  let left = began;
  const tools = toolsOf(config, { clock, log });
  const keeper = createKeeper({ driver: tools.driver, clock, log });
  const stopping = new AbortController();
  const settle = async () => {
    left = await leaveAll({ state, left, tools, keeper, clock, log, signal: stopping.signal });
  };
  const look = () => {
    if (left.done && isMember(state)) joined();
  };
  return startAll(
    [
      { name: 'keeper', start: async () => keeper.start() },
      {
        name: 'local',
        start: () =>
          openLocalDoor({ socket: join(run, LOCAL_SOCKET), handlers: handlersOf(() => left, keeper), log }),
      },
      {
        name: 'leaving',
        start: async () => {
          for (const path of Object.values(config.paths)) await mkdir(path, { recursive: true });
          const settled = settle().catch((err: unknown) => {
            if (!stopping.signal.aborted) log.error({ err: messageOf(err) }, 'this box has not left whole');
          });
          return async () => {
            stopping.abort(new Error('the agent stops'));
            await settled;
          };
        },
      },
      { name: 'joined', start: async () => clock.every(LOOK_MS, look) },
    ],
    { clock, log },
  );
}

type Context = Pick<OwnOptions, 'clock' | 'log'>;

function toolsOf(config: Config, { clock, log }: Context): LeaveTools {
  const { state, run, log: logFolder } = config.paths;
  const executables = createExecutables(config.executables);
  const execute = createRun({ executables, clock });
  return {
    driver: createServiceDriver(config.service, { executables, run: execute, logFolder, clock, log }),
    kernel: createKernel({
      ...{ folder: state, aside: join(run, 'mounts'), allowed: config.kernel, run: execute },
      ...{ clock, log },
    }),
    places: createPlaces({
      allowed: config.places,
      backup: join(state, 'backup'),
      own: join(state, 'units'),
    }),
  };
}

interface Leaving extends Context {
  state: string;
  left: Left;
  tools: LeaveTools;
  keeper: Pick<Keeper, 'add'>;
  signal: AbortSignal;
}

/**
 * Those that stay are kept from the first moment on; then the cluster's is given back, and only then files are made plain:
 * an address that two boxes have does harm, a link does none. What fails is tried until it is done.
 */
async function leaveAll({ state, left, tools, keeper, clock, log, signal }: Leaving): Promise<Left> {
  const folder = join(state, 'units');
  const all = await Promise.all((await activeIn(folder)).map((name) => openUnit(folder, name)));
  const leaving = left.done ? left : await withOwing(state, left, all, tools);
  const stays = all.filter(({ name }) => !leaving.goes.includes(name));
  for (const unit of stays) keeper.add(unit);
  const steps = [
    ...all
      .filter(({ name }) => leaving.goes.includes(name))
      .map((unit) => ({ unit: unit.name, take: () => goUnit(unit, tools) })),
    ...stays.map((unit) => ({ unit: unit.name, take: () => keepPlain(unit) })),
  ];
  for (let open = steps; ; ) {
    const failed: typeof steps = [];
    for (const step of open) {
      signal.throwIfAborted();
      await step.take().catch((err: unknown) => {
        log.warn(
          { unit: step.unit, err: messageOf(err) },
          'unit is not as it is to be yet; it is tried again',
        );
        failed.push(step);
      });
    }
    if (failed.length === 0) break;
    open = failed;
    await clock.sleep(AGAIN_MS, signal);
  }
  if (left.done) {
    await forgetFormer(state);
    return left;
  }
  const done = { ...leaving, done: true };
  await forgetCluster(state, done);
  log.warn({ node: left.node, units: stays.length }, 'this box has left its cluster and is one of its own');
  return done;
}

/** Also goes what holds something in the kernel by a policy that was not known any more. It is written before it is undone. */
async function withOwing(
  state: string,
  left: Left,
  all: readonly OwnUnit[],
  { kernel }: LeaveTools,
): Promise<Left> {
  const goes = new Set(left.goes);
  for (const { name } of all) if (await kernel.isOwing(name, [])) goes.add(name);
  const known = { ...left, goes: [...goes].sort() };
  if (known.goes.length > left.goes.length) await writeLeft(state, known);
  return known;
}

/** Key, certificate and all that was declared go. An identity that appears after the first step is of a new cluster. */
async function forgetCluster(state: string, done: Left): Promise<void> {
  const [identity, former] = [join(state, 'identity'), join(state, FORMER)];
  if (existsSync(identity) && !existsSync(former)) await rename(identity, former);
  await syncFolder(state);
  await writeLeft(state, done);
  await forgetFormer(state);
}

async function activeIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder).catch(() => []);
  return entries.filter((name) => statOf(join(folder, name, 'current')) !== undefined).sort();
}

const openUnit = async (folder: string, name: string): Promise<OwnUnit> => ({
  name,
  trees: createTrees({ folder: join(folder, name) }),
  record: await openRecord(join(folder, name)),
});

/** What root may see and do on a box of its own: how it is, and restart what it serves. */
function handlersOf(left: () => Left, keeper: Keeper): Parameters<typeof openLocalDoor>[0]['handlers'] {
  const refuse = () => {
    const { node, manager } = left();
    throw new EvenkeelError(
      'not-a-member',
      `this box was node ${node} of the cluster of ${manager.address} and has left it: nothing is wanted of it any more; evenkeel local status shows what it serves on`,
    );
  };
  return {
    status: () => {
      const { node, manager } = left();
      return {
        ...{ node, version: VERSION, certificateExpires: null, left: left(), hold: null },
        manager: { ...manager, connected: false },
        ...{ roles: [], checks: [], services: keeper.services() },
        units: keeper
          .services()
          .map(({ unit }) => ({ unit, result: 'own', current: true, error: '', held: [] })),
      };
    },
    restart: async ({ unit }) => {
      await keeper.restart(unit);
      return { asked: true };
    },
    leaving: () => ({ goes: [], stays: keeper.services().map(({ unit }) => unit) }),
    leave: () => ({ left: left() }),
    ...{ sites: refuse, packages: refuse, plan: refuse, hold: refuse, release: refuse },
  };
}
