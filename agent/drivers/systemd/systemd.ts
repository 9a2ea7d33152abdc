/**
 * The systemd driver: each daemon is a unit of its own, known to systemctl and the journal, and ended by its cgroup. It
 * outlives the agent. Only the agent starts it again when it dies, which sees that first and knows when not to (adr/0010).
 */
import { rm } from 'node:fs/promises';
import type { Clock } from '../../../common/clock.ts';
import { writeFileAtomic } from '../../../common/files.ts';
import type { Log } from '../../../common/log.ts';
import { isOfUnit, type ProcessStat, pidIn, processOf } from '../../../common/processes.ts';
import type { ResolvedService } from '../../../common/render/resolved.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { removeSocket } from '../direct.ts';
import { type Act, planService, type ServiceDriver } from '../driver.ts';
import type { Executables } from '../executables.ts';
import { createSystemctl, type UnitState } from './systemctl.ts';
import { unitOf, unitText } from './unit.ts';
import { createUnits, SLACK_MS } from './units.ts';
import { createWaiting } from './waiting.ts';

export interface SystemdOptions {
  executables: Executables;
  /** Ends what it has started itself, before this box was told to use systemd. */
  former: ServiceDriver;
  clock: Clock;
  log: Log;
}

export function createSystemdDriver({ executables, former, clock, log }: SystemdOptions): ServiceDriver {
  const systemctl = createSystemctl(clock);
  const units = createUnits(systemctl);
  const { untilDone, endsWhenOver } = createWaiting(systemctl, clock);
  const textOf = (service: ResolvedService) => unitText(service, executables.resolve);

  /** Who stands in the pid file is believed when systemd has it in the cgroup of the unit, where no other gets into. */
  const find = (service: ResolvedService): ProcessStat | null => {
    const pid = pidIn(service.pidFile);
    const found = pid === null ? null : processOf(pid);
    return found !== null && isOfUnit(found.pid, unitOf(service)) ? found : null;
  };
  const failed = async (service: ResolvedService, what: string, { invocation }: UnitState) => {
    const words = await systemctl.said(unitOf(service), invocation);
    return new EvenkeelError('service-failed', `${service.name} ${what}\n${words}`.trim());
  };
  const tell = (verb: 'start' | 'reload', service: ResolvedService) =>
    systemctl.tell(verb, unitOf(service), service.timeout + SLACK_MS);
  const end = async (service: ResolvedService) => {
    await units.end(service);
    await former.apply(service, ['stop']);
  };

  /** Whether it lives, and only its pid file says something else: by a hand, or since an operator has restarted it. */
  const keepsRunning = async (service: ResolvedService, { active, main }: UnitState): Promise<boolean> => {
    const isUp = active === 'active' || active === 'reloading';
    if (!isUp || main === null || processOf(main) === null) return false;
    if (await units.isAnothers(service)) throw new EvenkeelError('service-failed', takenName(service));
    if (find(service) !== null) return true;
    log.warn({ service: service.name, pid: main }, 'service runs, and gets its pid file back');
    await writeFileAtomic(service.pidFile, `${main}\n`);
    return true;
  };
  const start = async (service: ResolvedService) => {
    if (find(service) !== null) return;
    // As it is to be, whoever has begun that: it is waited for.
    const isSame = (await units.textOf(service)) === textOf(service);
    const before = isSame ? await untilDone(service) : await systemctl.show(unitOf(service));
    if (await keepsRunning(service, before)) return reload(service);
    await units.declare(service, textOf(service));
    await end(service);
    for (const socket of service.sockets) removeSocket(socket);
    await rm(service.pidFile, { force: true });
    const ready = new AbortController();
    const [ended, over] = await Promise.all([
      tell('start', service).finally(() => ready.abort(new Error('it has started, or not'))),
      service.foreground ? null : endsWhenOver(service, ready.signal),
    ]);
    const now = over ?? (await systemctl.show(unitOf(service)));
    if (service.foreground && now.main !== null) await writeFileAtomic(service.pidFile, `${now.main}\n`);
    const daemon = find(service);
    if (daemon !== null) return log.info({ service: service.name, pid: daemon.pid }, 'service started');
    await units.end(service);
    if (over !== null) throw await failed(service, `did not start: ${withoutFile(service)}`, over);
    if (ended.status !== 0 && isOfBox(now))
      throw new EvenkeelError('systemd-failed', `${service.name} was not started: ${ended.output.trim()}`);
    throw await failed(service, `did not start: ${whyOf(service, now) ?? ended.output.trim()}`, now);
  };
  const reload = async (service: ResolvedService) => {
    if (find(service) === null) throw new EvenkeelError('service-failed', `${service.name} does not run`);
    await units.declare(service, textOf(service));
    const { status } = await tell('reload', service);
    if (status === 0) return;
    const why = await failed(service, 'did not take the reload:', await systemctl.show(unitOf(service)));
    // Somebody may have ended it just then: it is started once more before anything is said against what it was to load.
    throw find(service) === null ? new EvenkeelError('service-died', why.message) : why;
  };
  /** Of a service that is to serve no more its unit goes too. */
  const stop = async (service: ResolvedService, isForGood: boolean) => {
    if (await units.isAnothers(service)) return former.apply(service, ['stop']);
    await end(service);
    if (find(service) !== null)
      throw new EvenkeelError('service-failed', `${service.name} did not stop, not even killed`);
    if (!isForGood || (await units.textOf(service)) === null) return;
    await units.remove(service);
    await systemctl.readUnits();
  };
  const acts: Record<Act, (service: ResolvedService, isLast: boolean) => Promise<void>> = {
    start,
    reload,
    stop,
  };
  return {
    read: (service) => ({ pid: find(service)?.pid ?? null }),
    plan: planService,
    apply: async (service, planned) => {
      for (const [at, one] of planned.entries()) await acts[one](service, at === planned.length - 1);
    },
    prepare: former.prepare,
  };
}

const takenName = ({ name, pidFile }: ResolvedService): string =>
  `another service of this box is called ${name} and runs, with another pid file than ${pidFile}; give one of their policies another service.name`;

const withoutFile = ({ pidFile }: ResolvedService): string => `it ended before it wrote ${pidFile}`;

/** systemd did not come to start it, could not, or was told otherwise meanwhile: nothing of that speaks of the daemon. */
const isOfBox = ({ result }: UnitState): boolean => result === 'success' || result === 'resources';

/** In words what systemd calls a result; null for what it tells itself. */
function whyOf(service: ResolvedService, { result, status }: UnitState): string | null {
  const { pidFile, timeout, foreground } = service;
  if (result === 'timeout') return `it wrote no ${pidFile} within ${timeout} ms`;
  if (result === 'protocol') return withoutFile(service);
  if (result === 'exit-code' || (foreground && result === 'success')) return `it ended with status ${status}`;
  return result === 'success' ? `no process of its own stands in ${pidFile}` : null;
}
