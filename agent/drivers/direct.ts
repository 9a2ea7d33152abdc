/** The direct driver: looks after daemons by pid file and signal, where no systemd does. They outlive the agent. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, lstatSync, mkdirSync, openSync, realpathSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { writeFileAtomic } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import {
  holds,
  isOlderThan,
  membersOf,
  type ProcessStat,
  pidIn,
  processOf,
  provenIn,
  runningSince,
  runningWith,
  runs,
  runsCommand,
  tailOf,
  ticksNow,
} from '../../common/processes.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { type Act, planService, type ServiceDriver } from './driver.ts';
import type { Executables } from './executables.ts';
import { makeDirectory } from './folders.ts';
import { killGroup, type Run } from './run.ts';

export interface DirectOptions {
  executables: Executables;
  run: Run;
  /** Where what daemons say on their outputs is kept. */
  logFolder: string;
  clock: Clock;
  log: Log;
}

const POLL_MS = 10;
/** What workers may take to end by themselves before they are made to. */
const GRACE_MS = 2_000;

export function createDirectDriver({
  executables,
  run,
  logFolder,
  clock,
  log,
}: DirectOptions): ServiceDriver {
  const commandOf = ({ start }: ResolvedService): [path: string, ...args: string[]] => {
    const [path, ...args] = executables.resolve(start);
    return [trueNameOf(path), ...args];
  };
  /** Which process it was that the driver started, told apart from a later one with the same number. */
  const proofOf = ({ pidFile }: ResolvedService) => `${pidFile}.started`;

  const find = (service: ResolvedService): ProcessStat | null => {
    const pid = pidIn(service.pidFile);
    const found = pid === null ? null : processOf(pid);
    if (found === null) return null;
    const [provenPid, started] = provenIn(proofOf(service));
    if (provenPid === found.pid) return started === found.started ? found : null;
    return isOlderThan(found, service.pidFile) && isOurs(found, service) ? found : null;
  };
  /** Who was started and lives, whatever a hand has made of its pid file. */
  const proven = (service: ResolvedService): ProcessStat | null => {
    const [pid, started] = provenIn(proofOf(service));
    const found = pid === null ? null : processOf(pid);
    return found?.started === started ? found : null;
  };
  /** Whose workers may be left: the proof is asked too, for a pid file may hold anything. */
  const leadersOf = (service: ResolvedService): (number | null)[] => [
    provenIn(proofOf(service))[0],
    pidIn(service.pidFile),
  ];
  const saidBy = ({ name }: ResolvedService) => join(logFolder, `${name}.out`);
  /** Without proof it must hold our output or run our very command: others may use the same executable. */
  const isOurs = ({ pid }: ProcessStat, service: ResolvedService) => {
    if (!executables.allows(service.start[0] ?? '')) return false;
    const command = commandOf(service);
    return runsCommand(pid, command) || (runs(pid, command[0]) && holds(pid, saidBy(service)));
  };
  const until = async (isSo: () => boolean, ms: number): Promise<boolean> => {
    const end = clock.monotonic() + ms;
    while (!isSo()) {
      if (clock.monotonic() >= end) return false;
      await clock.sleep(POLL_MS);
    }
    return true;
  };
  /** A killed daemon leaves its workers with its ports: the session that they share tells whose they are. */
  const endWorkers = async (service: ResolvedService, session: number | null) => {
    if (session === null || processOf(session) !== null) return;
    const [executable] = commandOf(service);
    const left = () => membersOf(session).filter(({ pid }) => runs(pid, executable));
    for (const { pid } of left()) send(pid, 'SIGTERM');
    if (await until(() => left().length === 0, GRACE_MS)) return;
    for (const { pid } of left()) send(pid, 'SIGKILL');
    await until(() => left().length === 0, GRACE_MS);
  };
  /** Who inherited the output of the newest start. */
  const heirsOf = (service: ResolvedService) => runningWith(commandOf(service)[0], saidBy(service));
  /** Ends whom a failed start has left, told by the output they inherited: who does not hold it may be another's. */
  const endStarted = async (service: ResolvedService, child: ChildProcess) => {
    const sessions = new Set(heirsOf(service).map(({ session }) => session));
    killGroup(child);
    const areGone = () => {
      const found = heirsOf(service);
      for (const { pid } of found) send(pid, 'SIGKILL');
      return found.length === 0;
    };
    await until(areGone, GRACE_MS);
    for (const session of sessions) await endWorkers(service, session);
  };
  const start = async (service: ResolvedService) => {
    const lost = proven(service);
    if (lost) {
      log.warn({ service: service.name, pid: lost.pid }, 'service runs, and gets its pid file back');
      await writeFileAtomic(service.pidFile, `${lost.pid}\n`);
      return act(service, 'reload', lost.pid);
    }
    const [path, ...args] = executables.resolve(service.start);
    for (const session of leadersOf(service)) await endWorkers(service, session);
    for (const socket of service.sockets) removeSocket(socket);
    rmSync(service.pidFile, { force: true });
    rmSync(proofOf(service), { force: true, recursive: true });
    const said = saidBy(service);
    const output = freshLog(said);
    const since = ticksNow();
    // Handed on a third time: a daemon turns its outputs elsewhere, and by this one it and its workers are told.
    const child = spawn(path, args, { detached: true, stdio: ['ignore', output, output, output] });
    closeSync(output);
    const command = commandOf(service);
    const isSeen = () => heirsOf(service).length > 0 || runningSince(command, since).length > 0;
    // Before anything is waited for: it may end meanwhile.
    const failure = failureOf(child, isSeen, clock);
    if (service.foreground && child.pid !== undefined)
      await writeFileAtomic(service.pidFile, `${child.pid}\n`);
    await until(() => find(service) !== null || failure() !== null, service.timeout);
    const daemon = find(service);
    if (daemon === null) {
      const why = failure() ?? `it wrote no ${service.pidFile} within ${service.timeout} ms`;
      await endStarted(service, child);
      throw new EvenkeelError(
        'service-failed',
        `${service.name} did not start: ${why}\n${tailOf(said)}`.trim(),
      );
    }
    child.unref();
    await writeFileAtomic(proofOf(service), `${daemon.pid} ${daemon.started}\n`);
    log.info({ service: service.name, pid: daemon.pid }, 'service started');
  };
  const act = async (service: ResolvedService, what: 'reload' | 'stop', pid: number) => {
    const action = service[what];
    if ('signal' in action) return send(pid, action.signal);
    const { status, output } = await run(action.run, { timeout: service.timeout });
    if (status !== 0)
      throw new EvenkeelError('service-failed', `${what} of ${service.name} ended with ${status}: ${output}`);
  };
  const reload = async (service: ResolvedService) => {
    const daemon = find(service);
    if (daemon === null) throw new EvenkeelError('service-failed', `${service.name} does not run`);
    await act(service, 'reload', daemon.pid);
  };
  const stop = async (service: ResolvedService) => {
    const sessions = leadersOf(service);
    const daemon = find(service) ?? proven(service);
    if (daemon !== null) {
      await act(service, 'stop', daemon.pid);
      const isGone = () => processOf(daemon.pid)?.started !== daemon.started;
      if (!(await until(isGone, service.timeout))) {
        log.warn({ service: service.name, pid: daemon.pid }, 'service did not stop in time; it is killed');
        send(daemon.pid, 'SIGKILL');
        await until(isGone, GRACE_MS);
      }
    }
    for (const session of sessions) await endWorkers(service, session);
    rmSync(proofOf(service), { force: true, recursive: true });
  };
  const acts: Record<Act, (service: ResolvedService) => Promise<void>> = { start, reload, stop };
  return {
    read: (service) => ({ pid: find(service)?.pid ?? null }),
    plan: planService,
    apply: async (service, planned) => {
      for (const one of planned) await acts[one](service);
    },
    prepare: async (directories) => {
      for (const directory of directories) await makeDirectory(directory);
    },
  };
}

/** Where links lead; a name that leads nowhere stays as it is. */
function trueNameOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path; // not installed just now
  }
}

/** Begun anew, so that it grows with one run alone and a pipe in its place goes; appended to, so that it may be cut. */
function freshLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  rmSync(file, { force: true, recursive: true });
  return openSync(file, 'a');
}

/** A process that has ended meanwhile needs no signal. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== 'ESRCH')
      throw new EvenkeelError('service-failed', `${signal} to ${pid}: ${messageOf(err)}`, { cause: err });
  }
}

/** How often to look through /proc, and how long a daemon that cannot be seen there still has for its pid file. */
const LOOK_MS = 100;
const UNSEEN_MS = 1_000;

/**
 * How a start failed; null while it has not. A daemon that goes to the background ends its first process with 0: from
 * then on it is known by the output it inherited or by its command line, and when nothing has these, nobody waits for
 * the rest of its time to start.
 */
function failureOf(child: ChildProcess, isSeen: () => boolean, clock: Clock) {
  let failure: string | null = null;
  let lookedAt = 0;
  let seenAt: number | null = null;
  child.once('error', (err) => {
    failure = messageOf(err);
  });
  child.once('exit', (status, signal) => {
    if (status !== 0) failure = `it ended with ${signal ?? `status ${status}`}`;
  });
  return (): string | null => {
    const now = clock.monotonic();
    if (failure !== null || child.exitCode !== 0 || now - lookedAt < LOOK_MS) return failure;
    lookedAt = now;
    if (seenAt === null || isSeen()) seenAt = now;
    if (now - seenAt >= UNSEEN_MS) failure = 'it went to the background and ended there';
    return failure;
  };
}

/** Only ever a socket: a path in a policy must not delete a file. */
export function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}
