/** The units of this box: which there are, when each is looked at, and one pass after the other for each of them. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { type Again, createGather, createLoop } from '../../common/loop.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { UnitPlan } from '../../protocol/messages.ts';
import type { Executables } from '../drivers/executables.ts';
import { createRun } from '../drivers/run.ts';
import { createServiceDriver } from '../drivers/services.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { collect } from '../state/collect.ts';
import type { Desired } from '../state/desired.ts';
import { createDisk, type Disk, type Expected } from '../state/disk.ts';
import { createPlaces } from '../state/places.ts';
import { openRecord } from '../state/record.ts';
import { createTrees, type Write } from '../state/trees.ts';
import { askAgain, tryAll } from './again.ts';
import { converge } from './converge.ts';
import { type FindCulprits, findCulprits } from './culprit.ts';
import { createDeaths } from './deaths.ts';
import { servesAll } from './ends.ts';
import { createFights } from './fights.ts';
import { allowed } from './mode.ts';
import { createParting } from './parting.ts';
import { beginPass, type Ending, type Hooks, type Pass, type Tools, type Unit } from './pass.ts';
import { activeManifest } from './plan.ts';
import { planOf } from './preview.ts';
import { removeUnit } from './remove.ts';
import { createRenderer } from './render.ts';
import { createRenewals, type Renewals, refuseAll } from './renewals.ts';
import { type ConvergeReport, createReporter } from './report.ts';
import { createRestarts } from './restarts.ts';
import { renew } from './serving.ts';
import { createStanding } from './standing.ts';
import { createTruce } from './truce.ts';

/** What looks for changes on the disk between two sweeps. */
export interface Watch {
  start(changed: (unit: string) => void): () => void | Promise<void>;
  /** What should lie on the disk for a unit from now on; none when it is gone. */
  set(unit: string, expected: readonly Expected[], disk: Pick<Disk, 'differs'>): void;
}

/** What calls when it is time to compare with the disk. */
export interface Sweep {
  start(due: (options: { contents: boolean }) => void): () => void;
}

export interface UnitsOptions {
  node: string;
  /** The box's own folders, and those outside them in which policies may place links. */
  config: {
    paths: { state: string; run: string; log: string };
    places: readonly string[];
    service?: 'direct' | 'systemd';
  };
  desired: Desired;
  executables: Executables;
  kernel: Kernel;
  /** Nobody's, unless said. */
  rootHold?: Tools['rootHold'];
  runChecks: Tools['runChecks'];
  hooks: Hooks;
  report: (body: ConvergeReport) => void;
  watch: Watch;
  sweep: Sweep;
  clock: Clock;
  log: Log;
  /** For tests that end the process at a step, let the disk fail, or take the culprit's finder away. */
  checkpoint?: Tools['checkpoint'];
  write?: Write;
  culprits?: FindCulprits;
}

export interface UnitState {
  unit: string;
  digest: string;
  result: string;
  /** It serves what it should, or the last good version of it. */
  ok: boolean;
  /** Its last pass saw the desired state as it is now. */
  current: boolean;
  /** What ended its last pass; empty when nothing did. */
  error: string;
  /** The resources that it goes on without. */
  held: string[];
}

export interface UnitService {
  unit: string;
  service: string;
  pid: number | null;
}

export interface Units extends Renewals {
  /** Takes up where an earlier run left off; returns its undo, which leaves the daemons running. */
  start(): Promise<() => Promise<void>>;
  /** Resources changed on disk. Bursts are gathered. */
  applied(keys: readonly string[]): void;
  /** Has a unit looked at now. */
  put(unit: string): void;
  reconcileAll(): void;
  /** What a pass would change, unit by unit. Touches nothing. */
  plan(): Promise<UnitPlan[]>;
  /** Tries again what is held back and what was refused. */
  retry(): Promise<void>;
  /** Compares every file with what it should be; with `contents` every byte, and asks the checker again about what it refused. */
  sweep(options?: { contents: boolean }): void;
  state(): UnitState[];
  /** The daemons that units have started, and their pid as it is now. */
  services(): UnitService[];
  /** Says again how each unit ended last: the manager may have forgotten it. */
  say(): void;
  /** Waits until nothing is queued or running. */
  idle(): Promise<void>;
}

/** A burst of revisions is one pass: this much quiet, at most this much delay. What comes alone does not wait. */
const QUIET_MS = 200;
const AT_MOST_MS = 2_000;
const ALONE_MS = 2_000;

export function createUnits(options: UnitsOptions): Units {
  const { node, config, desired, watch, clock, log } = options;
  const standing = createStanding({ node, desired, folder: join(config.paths.state, 'units') });
  const tools = toolsOf(options);
  const said = (body: ConvergeReport) => {
    if (body.type === 'fight') truce.fight(body.unit);
    options.report(body);
  };
  const reporter = createReporter({ desired, fights: createFights(clock), report: said });
  const opening = new Map<string, Promise<Unit>>();
  const open = new Map<string, Unit>();
  /** The pass of a unit that runs now. */
  const running = new Map<string, Pass>();
  const endedAt = new Map<string, number>();
  const stopping = new AbortController();

  const unitOf = (name: string): Promise<Unit> => {
    const unit = opening.get(name) ?? openUnit(name, options, open);
    opening.set(name, unit);
    return unit;
  };
  const parting = createParting(clock);
  const passOf = async (name: string): Promise<Pass> =>
    beginPass(await unitOf(name), tools, standing.scopes() ?? {}, stopping.signal);

  const work = async (name: string): Promise<Again | undefined> => {
    const wanted = standing.wanted();
    if (wanted?.includes(name)) {
      parting.forget(name);
      return pass(name);
    }
    return wanted !== null && standing.isActive(name) ? remove(name) : undefined;
  };
  const pass = async (name: string): Promise<Again | undefined> => {
    const one = await passOf(name);
    const { unit } = one;
    // What is asked for from here on is for the next pass.
    one.contents = unit.contents;
    unit.contents = false;
    const stillHeld = (err: unknown) =>
      log.warn({ unit: name, err: messageOf(err) }, 'what is held back is not tried again');
    if (one.contents) await askAgain(one).catch(stillHeld);
    running.set(name, one);
    const asked = unit.renewals.splice(0);
    if (asked.length > 0) await renew(one, asked);
    const ending = await walk(one).finally(() => running.delete(name));
    return againOf(ending, stopping.signal);
  };
  const walk = async (one: Pass): Promise<Ending> => {
    const { unit } = one;
    const ending = await converge(one, (ended) => reporter.pass(one, ended, unit.record.read().loaded ?? ''));
    endedAt.set(unit.name, clock.monotonic());
    await after(unit);
    return ending;
  };
  /** What lies on the disk now is what is watched, and trees that nobody needs any more go. */
  const after = async ({ name, trees, disk, record }: Unit) => {
    const active = await activeManifest(trees);
    watch.set(name, active ? trees.expected(active) : [], disk);
    const { good, loaded, running: service } = record.read();
    deaths.watch(name, service);
    if (active)
      await collect(trees, [active.digest, good, loaded]).catch((err: unknown) =>
        log.warn({ unit: name, err: messageOf(err) }, 'old trees were not removed'),
      );
  };
  const remove = async (name: string): Promise<Again> => {
    const before = open.get(name);
    if (before) refuseAll(before);
    // The policy is gone; the node's own word counts on.
    const self = desired.get('Node', node)?.spec ?? { mode: 'enforce' };
    const { mode } = allowed(self, { mode: 'enforce' }, clock.now(), tools.rootHold());
    if (mode !== 'enforce') return undefined;
    const wait = standing.hasLostRole(name) ? parting.wait(name) : 0;
    if (wait > 0) return { againAfter: wait };
    parting.forget(name);
    deaths.watch(name, null);
    const one = await passOf(name);
    const ending = await removeUnit(one, reporter);
    if (ending.error) return againOf(ending, stopping.signal);
    opening.delete(name);
    open.delete(name);
    refuseAll(one.unit);
    reporter.forget(name);
    watch.set(name, [], { differs: () => false });
    log.info({ unit: name }, 'unit removed');
    return undefined;
  };
  const passes = createLoop({ clock, log, work: announced(options, work) });
  const gathered = createGather({ clock, log, quiet: QUIET_MS, atMost: AT_MOST_MS, call: passes.put });
  const truce = createTruce({ put: passes.put, clock, log });
  /** Those of a pass that runs as well: dropped meanwhile, it may become active only after the list was made. */
  const everyUnit = (call: (name: string) => void) =>
    void standing.all().then(
      (listed) => {
        const names = new Set([...listed, ...opening.keys()]);
        expectAll(options, names);
        names.forEach(call);
      },
      (err: unknown) => log.error({ err: messageOf(err) }, 'units were not listed'),
    );
  const isAlone = (name: string) => clock.monotonic() - (endedAt.get(name) ?? 0) > ALONE_MS;
  const reconcileAll = () => everyUnit(passes.put);
  const sweep = ({ contents } = { contents: false }) => {
    if (contents) for (const unit of open.values()) unit.contents = true;
    reconcileAll();
  };
  /** A daemon that died is noticed at once; one that a pass could not start is left to the retries of the loop. */
  const deaths = createDeaths({
    pidOf: (service) => tools.driver.read(service).pid,
    died: (name) => {
      // Whom its own pass ends, to start another one, has not died.
      if (running.get(name)?.daemon.ended) return;
      log.warn({ unit: name }, 'the daemon is gone');
      options.hooks.died(name);
    },
    gone: (name) => {
      if (servesAll(reporter.last().get(name))) passes.put(name);
    },
    clock,
  });
  return {
    start: async () => {
      for (const path of Object.values(config.paths)) await mkdir(path, { recursive: true });
      const undo = [
        desired.onApplied((keys) => {
          for (const { renderer } of open.values()) renderer.look(keys);
        }),
        watch.start(truce.touched),
        options.sweep.start(sweep),
        deaths.start(),
      ];
      reconcileAll();
      return async () => {
        for (const end of undo.reverse()) await end();
        stopping.abort(new Error('the agent stops'));
        await gathered.stop();
        await truce.stop();
        await passes.stop();
      };
    },
    applied: () => everyUnit((name) => (isAlone(name) ? passes.put(name) : gathered.put(name))),
    ...{ put: passes.put, reconcileAll, sweep, say: reporter.repeat },
    plan: async () => {
      const names = await standing.all();
      const wanted = standing.wanted() ?? [];
      return Promise.all(names.map(async (name) => planOf(await passOf(name), wanted.includes(name))));
    },
    retry: async () => {
      for (const name of await standing.all()) {
        await tryAll(await passOf(name));
        passes.put(name);
      }
    },
    state: () =>
      (standing.wanted() ?? []).map((unit) => {
        const { digest = '', result = 'pending', scopes, error, held = [] } = reporter.last().get(unit) ?? {};
        const current = isDeepStrictEqual(scopes, standing.scopes());
        return {
          ...{ unit, digest, result, current, ok: !['failed', 'rolledBack', 'pending'].includes(result) },
          ...{ error: error?.message ?? '', held: held.map(({ kind, name }) => `${kind}/${name}`) },
        };
      }),
    services: () =>
      [...open.values()].flatMap(({ name, record }) => {
        const service = record.read().running;
        return service ? [{ unit: name, service: service.name, pid: tools.driver.read(service).pid }] : [];
      }),
    ...createRenewals((name) => open.get(name), passes.put),
    idle: async () => {
      await gathered.idle();
      await passes.idle();
    },
  };
}

/** @throws what the loop is to come again for by itself */
function againOf({ failure, againAfter }: Ending, { aborted }: AbortSignal): Again {
  if (failure && !aborted) throw failure;
  return againAfter === undefined ? undefined : { againAfter };
}

type Heard = Pick<UnitsOptions, 'kernel' | 'desired'>;

/** The kernel knows which passes are to come. Whoever asks it for nothing is not waited for. */
function expectAll({ kernel, desired }: Heard, names: Iterable<string>): void {
  for (const name of names) if (desired.get('Policy', name)?.spec.kernel !== undefined) kernel.expect(name);
}

const announced =
  <T>({ kernel }: Heard, work: (name: string) => Promise<T>) =>
  (name: string): Promise<T> => {
    kernel.begin(name);
    return work(name).finally(() => kernel.over(name));
  };

function toolsOf(options: UnitsOptions): Tools {
  const { node, config, desired, executables, kernel, runChecks, hooks, clock, log } = options;
  const run = createRun({ executables, clock });
  return {
    node,
    desired,
    run,
    kernel,
    rootHold: options.rootHold ?? (() => null),
    driver: createServiceDriver(config.service ?? 'direct', {
      ...{ executables, run, logFolder: config.paths.log, clock, log },
    }),
    places: createPlaces({
      allowed: config.places,
      backup: join(config.paths.state, 'backup'),
      own: join(config.paths.state, 'units'),
    }),
    runChecks,
    hooks,
    findCulprits: options.culprits ?? findCulprits,
    checkpoint: options.checkpoint ?? (() => undefined),
    clock,
    log,
  };
}

/** In `open` from the moment at which its renderer exists, so that it hears of every change after that. */
async function openUnit(
  name: string,
  { node, config, desired, clock, write }: UnitsOptions,
  open: Map<string, Unit>,
): Promise<Unit> {
  const folder = join(config.paths.state, 'units', name);
  const record = await openRecord(folder);
  const unit: Unit = {
    name,
    trees: createTrees(write ? { folder, write } : { folder }),
    record,
    disk: createDisk(),
    renderer: createRenderer({ unit: name, node, paths: config.paths, desired }),
    restarts: createRestarts(clock),
    serving: null,
    contents: false,
    renewals: [],
  };
  open.set(name, unit);
  return unit;
}
