/**
 * The contract of a service's driver: what each of them promises of any daemon. Without a test runner, so that it can be
 * kept in a box where systemd is the init as well as on any machine.
 */
import { deepStrictEqual, ok, rejects } from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDriver, Wish } from '../../agent/drivers/driver.ts';
import { createExecutables, type Executables } from '../../agent/drivers/executables.ts';
import { processOf, runs } from '../../common/processes.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { until } from '../support/until.ts';

export interface ServiceBench {
  /** Of this bench alone. */
  folder: string;
  /** As an agent makes it that has just started. */
  driver(executables: Executables): ServiceDriver;
}

export type ServicePromises = Record<string, (bench: Tried) => Promise<void>>;

/** Boxes of a lab are slow. */
const PATIENCE_MS = 30_000;

/**
 * Begun as `daemon AT HOW ...`, it writes beside AT what it was given (.args) and what it serves (.serves), which is what
 * .conf says when it starts or hears HUP. It waits at a pipe, since a box takes its time for each process; a slow one
 * says that it has started once there is .go.
 */
const DAEMON = `#!/bin/sh
at=$1 how=$2
case $how in
  fails) echo 'nobody gave me a port' >&2; exit 7 ;;
  worker) echo $$ >"$at.worker" ;;
  *-background) [ -n "$AGAIN" ] || { AGAIN=yes setsid "$0" "$@" & exit 0; } ;;
esac
serve() { read -r text <"$at.conf"; echo "$text" >"$at.serves"; }
trap serve HUP
case $how in deaf*) trap '' TERM ;; *) trap 'exit 0' TERM ;; esac
[ -e "$at.fifo" ] || mkfifo "$at.fifo"
exec 4<>"$at.fifo"
if [ "$how" != worker ]; then
  for arg; do printf '%s\\0' "$arg"; done >"$at.args"
  serve
  case $how in parent*) "$0" "$at" worker & until [ -e "$at.worker" ]; do sleep 0.1; done ;; esac
  case $how in slow*) until [ -e "$at.go" ]; do sleep 0.1; done ;; esac
  case $how in silent* | quiet*) ;; *) echo $$ >"$at.pid" ;; esac
fi
while :; do read -r _ <&4; done
`;
/** What a policy may name for a reload and a stop: they leave a mark and send the signal. */
const COMMAND = `#!/bin/sh
echo "$2" >"$1.commanded"
kill -"$2" "$(cat "$1.pid")"
`;

export interface Tried {
  executables: Executables;
  driver: ServiceDriver;
  /** The driver of another agent, which comes after this one. */
  again(): ServiceDriver;
  /** A service whose daemon behaves so. */
  service(name: string, how: string, more?: Partial<ResolvedService>): ResolvedService;
  to(service: ResolvedService, wish: Wish): Promise<void>;
  pid(service: ResolvedService): number | null;
  /** What a file beside the daemon's says. */
  said(service: ResolvedService, what: 'args' | 'serves' | 'worker' | 'commanded'): string;
  configure(service: ResolvedService, text: string): void;
  /** All processes of all daemons. */
  all(): number[];
  /** Runs the same executable, as another one might. */
  stranger(...args: string[]): ChildProcess;
}

/** A file beside its pid file. */
export const at = ({ pidFile }: ResolvedService, what: string) => pidFile.replace(/pid$/, what);

/** Makes the daemon; whoever keeps a promise ends what it has left. */
export function tryOut({ folder, driver }: ServiceBench): Tried & { clean(): Promise<void> } {
  const path = join(folder, 'daemon');
  const command = join(folder, 'command');
  writeFileSync(path, DAEMON, { mode: 0o755 });
  writeFileSync(command, COMMAND, { mode: 0o755 });
  const executables = createExecutables({ daemon: path, command });
  const own = driver(executables);
  const made: ResolvedService[] = [];
  const strangers: ChildProcess[] = [];
  const all = () =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && processOf(pid) !== null && runs(pid, path));
  return {
    executables,
    driver: own,
    again: () => driver(executables),
    service: (name, how, more = {}) => {
      const service: ResolvedService = {
        name,
        start: ['daemon', join(folder, name), how],
        reload: { signal: 'SIGHUP' },
        stop: { signal: 'SIGTERM' },
        pidFile: join(folder, `${name}.pid`),
        sockets: [],
        timeout: 20_000,
        ...more,
      };
      writeFileSync(at(service, 'conf'), 'first\n');
      made.push(service);
      return service;
    },
    to: (service, wish) => own.apply(service, own.plan(own.read(service), wish)),
    pid: (service) => own.read(service).pid,
    said: (service, what) => readFileSync(at(service, what), 'utf8'),
    configure: (service, text) => writeFileSync(at(service, 'conf'), `${text}\n`),
    all,
    stranger: (...args) => {
      const child = spawn(path, args, { stdio: 'ignore' });
      strangers.push(child);
      return child;
    },
    clean: async () => {
      for (const child of strangers) child.kill('SIGKILL');
      for (const service of made) await own.apply(service, ['stop']).catch(() => undefined);
      for (const pid of all()) process.kill(pid, 'SIGKILL');
      for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true });
    },
  };
}

const lives = (pid: number | null): boolean => processOf(pid ?? 0) !== null;
const serves = (bench: Tried, service: ResolvedService, text: string) =>
  until(
    `${service.name} serves ${text}`,
    () => existsSync(at(service, 'serves')) && bench.said(service, 'serves') === `${text}\n`,
    PATIENCE_MS,
  );

async function startsAndStops(bench: Tried, service: ResolvedService): Promise<void> {
  deepStrictEqual(bench.pid(service), null);
  await bench.to(service, 'running');
  const pid = bench.pid(service);
  ok(lives(pid));
  deepStrictEqual(Number(readFileSync(service.pidFile, 'utf8')), pid);
  await serves(bench, service, 'first');
  await bench.to(service, 'running');
  deepStrictEqual(bench.pid(service), pid);
  await bench.to(service, 'stopped');
  deepStrictEqual([bench.pid(service), bench.all()], [null, []]);
  await bench.to(service, 'stopped');
}

/** In arguments as customers may come to write them, by parameters of policies. */
const ODD = [
  'a b',
  '',
  '"',
  "'",
  '\\',
  '\\n',
  '%n',
  '%%',
  '$HOME',
  '$\u007bHOME}',
  '$$',
  ';',
  '&',
  '|',
  '\n',
  '\t',
  '*',
  'ü→',
  '-x',
  '@',
  '#',
];

export const promises: ServicePromises = {
  'starts a daemon that goes to the background, finds it, and leaves no process when it stops': async (
    bench,
  ) => startsAndStops(bench, bench.service('one', 'in-background')),
  'does the same with one that stays in the foreground and writes a pid file': async (bench) =>
    startsAndStops(bench, bench.service('one', 'stays')),
  'does the same with one that stays in the foreground and writes none': async (bench) =>
    startsAndStops(bench, bench.service('one', 'quiet', { foreground: true })),
  'does the same with one that has a worker': async (bench) =>
    startsAndStops(bench, bench.service('one', 'parent-in-background')),
  'reloads without a new process, and the new file is served': async (bench) => {
    for (const [name, how] of [
      ['one', 'in-background'],
      ['two', 'quiet'],
    ] as const) {
      const service = bench.service(name, how, how === 'quiet' ? { foreground: true } : {});
      await bench.to(service, 'running');
      const pid = bench.pid(service);
      bench.configure(service, 'second');
      await bench.to(service, 'reloaded');
      await serves(bench, service, 'second');
      deepStrictEqual(bench.pid(service), pid);
    }
  },
  'restarts with another command line': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    const before = bench.pid(service);
    const other = { ...service, start: [...service.start, 'more'] };
    await bench.to(other, 'restarted');
    const after = bench.pid(other);
    ok(after !== before && lives(after) && !lives(before));
    ok(bench.said(service, 'args').endsWith('\0more\0'));
  },
  'reloads and stops by commands where a policy names some': async (bench) => {
    const service = bench.service('one', 'in-background');
    const by = (signal: string) => ({ run: ['command', service.pidFile.replace(/\.pid$/, ''), signal] });
    const commanded = { ...service, reload: by('HUP'), stop: by('TERM') };
    await bench.to(commanded, 'running');
    bench.configure(service, 'second');
    await bench.to(commanded, 'reloaded');
    await serves(bench, service, 'second');
    await bench.to(commanded, 'stopped');
    deepStrictEqual([bench.said(service, 'commanded'), bench.all()], ['TERM\n', []]);
  },
  'hands on every argument as it is': async (bench) => {
    for (const [name, more] of [
      ['one', {}],
      ['two', { foreground: true as const }],
    ] as const) {
      const service = bench.service(name, 'foreground' in more ? 'quiet' : 'in-background', more);
      const odd = { ...service, start: [...service.start, ...ODD] };
      await bench.to(odd, 'running');
      await serves(bench, service, 'first');
      deepStrictEqual(bench.said(service, 'args').split('\0').slice(2, -1), ODD);
    }
  },
  'says at once in the words of the daemon why it did not start, and leaves nothing': async (bench) => {
    for (const more of [{}, { foreground: true as const }]) {
      const service = bench.service('one', 'fails', more);
      await rejects(bench.to(service, 'running'), {
        code: 'service-failed',
        message: /^one did not start: it ended (?!.*within).*\n(?:.*\n)*nobody gave me a port/,
      });
      deepStrictEqual([bench.pid(service), bench.all()], [null, []]);
    }
  },
  'gives up a daemon that never writes its pid file, and leaves nothing': async (bench) => {
    const service = bench.service('one', 'silent-in-background', { timeout: 3_000 });
    await rejects(bench.to(service, 'running'), {
      code: 'service-failed',
      message: /it wrote no .*one\.pid/,
    });
    deepStrictEqual(bench.all(), []);
  },
  'sees that its daemon was killed, and lets no worker of it keep the port of the next': async (bench) => {
    const service = bench.service('one', 'parent-in-background');
    await bench.to(service, 'running');
    const [daemon, worker] = [bench.pid(service) ?? 0, Number(bench.said(service, 'worker'))];
    ok(lives(worker));
    rmSync(at(service, 'worker'));
    process.kill(daemon, 'SIGKILL');
    await until('it is seen', () => bench.pid(service) === null, PATIENCE_MS);
    await bench.to(service, 'running');
    ok(!lives(worker) && lives(bench.pid(service)));
    deepStrictEqual(bench.all().length, 2);
  },
  'ends a daemon that does not listen when its time is over': async (bench) => {
    const service = bench.service('one', 'deaf-in-background', { timeout: 3_000 });
    await bench.to(service, 'running');
    await bench.to(service, 'stopped');
    deepStrictEqual([bench.pid(service), bench.all()], [null, []]);
  },
  'outlives its agent, and is looked after by the next': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    const next = bench.again();
    deepStrictEqual(next.read(service), { pid: bench.pid(service) });
    deepStrictEqual(next.plan(next.read(service), 'running'), []);
    await next.apply(service, ['stop']);
    deepStrictEqual(bench.all(), []);
  },
  'looks after two that do not disturb one another': async (bench) => {
    const [one, two] = [bench.service('one', 'in-background'), bench.service('two', 'stays')];
    await Promise.all([bench.to(one, 'running'), bench.to(two, 'running')]);
    const pids = [bench.pid(one), bench.pid(two)];
    ok(pids.every(lives) && pids[0] !== pids[1]);
    process.kill(pids[0] ?? 0, 'SIGKILL');
    await until('it is seen', () => bench.pid(one) === null, PATIENCE_MS);
    deepStrictEqual(bench.pid(two), pids[1]);
    await bench.to(one, 'running');
    await bench.to(two, 'stopped');
    ok(lives(bench.pid(one)) && bench.pid(two) === null);
  },
  'gives a daemon its pid file back that a hand has deleted or written over': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    const pid = bench.pid(service);
    for (const hand of [
      () => rmSync(service.pidFile),
      () => writeFileSync(service.pidFile, `${process.pid}\n`),
    ]) {
      hand();
      deepStrictEqual(bench.pid(service), null);
      await bench.to(service, 'running');
      deepStrictEqual([bench.pid(service), bench.all()], [pid, [pid]]);
    }
  },
  'takes no stranger of the same executable for its daemon': async (bench) => {
    const service = bench.service('one', 'in-background');
    const { pid = 0 } = bench.stranger(join(service.pidFile, '..', 'other'), 'quiet');
    await until('the stranger runs', () => bench.all().includes(pid), PATIENCE_MS);
    writeFileSync(service.pidFile, `${pid}\n`);
    deepStrictEqual(bench.pid(service), null);
    await bench.to(service, 'stopped');
    await rejects(bench.driver.apply(service, ['reload']), {
      code: 'service-failed',
      message: /does not run/,
    });
    await bench.to(service, 'running');
    ok(bench.pid(service) !== pid && lives(pid));
  },
  'runs nothing that is not on the list of the box': async (bench) => {
    const service = bench.service('one', 'stays', { start: ['sh', '-c', 'true'] });
    await rejects(bench.to(service, 'running'), { code: 'executable-refused' });
  },
};
