/** The direct driver: looks after daemons by pid file and signal, where no systemd does. They outlive the agent. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, lstatSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { writeFileAtomic } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { type Act, planService, type ServiceDriver } from './driver.ts';
import type { Executables } from './executables.ts';
import { makeDirectory } from './folders.ts';
import { isOlderThan, membersOf, type ProcessStat, pidIn, processOf, runs, runsSince } from './proc.ts';
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
  const executableOf = ({ start }: ResolvedService): string => realpathSync(executables.resolve(start)[0]);
  /** Which process it was that the driver started, told apart from a later one with the same number. */
  const proofOf = ({ pidFile }: ResolvedService) => `${pidFile}.started`;

  const find = (service: ResolvedService): ProcessStat | null => {
    const pid = pidIn(service.pidFile);
    const found = pid === null ? null : processOf(pid);
    if (found === null) return null;
    const [provenPid, started] = provenIn(proofOf(service));
    if (provenPid === found.pid) return started === found.started ? found : null;
    const isOurs = isOlderThan(found, service.pidFile) && runs(found.pid, executableOf(service));
    return isOurs ? found : null;
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
    const executable = executableOf(service);
    const left = () => membersOf(session).filter(({ pid }) => runs(pid, executable));
    for (const { pid } of left()) send(pid, 'SIGTERM');
    if (await until(() => left().length === 0, GRACE_MS)) return;
    for (const { pid } of left()) send(pid, 'SIGKILL');
    await until(() => left().length === 0, GRACE_MS);
  };
  const start = async (service: ResolvedService) => {
    const [path, ...args] = executables.resolve(service.start);
    await endWorkers(service, pidIn(service.pidFile));
    for (const socket of service.sockets) removeSocket(socket);
    rmSync(service.pidFile, { force: true });
    const said = join(logFolder, `${service.name}.out`);
    const output = openSync(said, 'w');
    const child = spawn(path, args, { detached: true, stdio: ['ignore', output, output] });
    closeSync(output);
    const failure = failureOf(child, [realpathSync(path), ...args], clock);
    const isUp = () => find(service) !== null;
    await until(() => isUp() || failure() !== null, service.timeout);
    const daemon = find(service);
    if (daemon === null) {
      killGroup(child);
      const why = failure() ?? `it wrote no ${service.pidFile} within ${service.timeout} ms`;
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
    const session = pidIn(service.pidFile);
    const daemon = find(service);
    if (daemon !== null) {
      await act(service, 'stop', daemon.pid);
      const isGone = () => processOf(daemon.pid)?.started !== daemon.started;
      if (!(await until(isGone, service.timeout))) {
        log.warn({ service: service.name, pid: daemon.pid }, 'service did not stop in time; it is killed');
        send(daemon.pid, 'SIGKILL');
        await until(isGone, GRACE_MS);
      }
    }
    await endWorkers(service, session);
    rmSync(proofOf(service), { force: true });
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

function provenIn(file: string): [pid: number | null, started: number | null] {
  if (!existsSync(file)) return [null, null];
  const [pid, started] = readFileSync(file, 'latin1').trim().split(' ').map(Number);
  return [pid ?? null, started ?? null];
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
 * then on it is known by its command line, and when nothing has that, nobody waits for the rest of its time to start.
 */
function failureOf(child: ChildProcess, command: readonly [string, ...string[]], clock: Clock) {
  let failure: string | null = null;
  const since = processOf(child.pid ?? 0)?.started ?? 0;
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
    if (seenAt === null || runsSince(command, since)) seenAt = now;
    if (now - seenAt >= UNSEEN_MS) failure = 'it went to the background and ended there';
    return failure;
  };
}

/** Only ever a socket: a path in a policy must not delete a file. */
function removeSocket(path: string): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket()) rmSync(path);
}

const TAIL = 4096;
const tailOf = (file: string): string => readFileSync(file, 'utf8').slice(-TAIL);
