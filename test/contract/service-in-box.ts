/**
 * Inside a box where systemd is the init: keeps the contract with the systemd driver, and what only that one promises.
 * Says as JSON how each of the promises ended.
 */
import { deepStrictEqual, match, ok, rejects } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServiceDriver } from '../../agent/drivers/driver.ts';
import { createExecutables, type Executables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { createServiceDriver } from '../../agent/drivers/services.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { isAnyOfUnit } from '../../common/processes.ts';
import type { ResolvedService } from '../../common/render/resolved.ts';
import { messageOf } from '../../protocol/errors.ts';
import { until } from '../support/until.ts';
import { at, promises, type Tried, tryOut } from './service.contract.ts';

const FOLDER = '/srv/contract';
const UNIT = 'evenkeel@one.service';
const log = createLog('driver', 'silent');

const driverOf = (which: 'direct' | 'systemd') => (executables: Executables) =>
  createServiceDriver(which, {
    ...{ executables, run: createRun({ executables, clock }), logFolder: join(FOLDER, 'log'), clock, log },
  });
const systemctl = (...args: string[]) => execFileSync('systemctl', args, { encoding: 'utf8' }).trim();
const journal = (...args: string[]) =>
  execFileSync('journalctl', ['--no-pager', '-q', '-o', 'cat', ...args], { encoding: 'utf8' });
const shown = (property: string) => systemctl('show', '--value', '-p', property, UNIT);
const readings = () => journal('_PID=1').match(/^Reloading\.$/gm)?.length ?? 0;

function leftNothing(): void {
  ok(!existsSync(`/run/systemd/system/${UNIT}`));
  deepStrictEqual(systemctl('list-units', '--all', '--plain', '--no-legend', 'evenkeel@*'), '');
}
/** By a signal, and by a command. */
function stoppedEitherWay(bench: Tried): ResolvedService[] {
  const service = bench.service('one', 'in-background');
  const run = ['command', service.pidFile.replace(/\.pid$/, ''), 'TERM'];
  return [service, { ...service, stop: { run } }];
}
/** It has everything but its pid file. */
const isStarting = (bench: Tried, service: ResolvedService) =>
  until('it is starting', () => existsSync(at(service, 'serves')) && bench.all().length === 1, 30_000);
/** While there is one of an operator. */
async function withDropIn(text: string, work: () => Promise<void>): Promise<void> {
  const folder = `/run/systemd/system/${UNIT}.d`;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'own.conf'), text);
  try {
    await work();
  } finally {
    rmSync(folder, { recursive: true });
    systemctl('daemon-reload');
  }
}

type Keep = (bench: Tried, direct: ServiceDriver) => Promise<void>;

/** What only systemd can be asked. */
const ofSystemd: Record<string, Keep> = {
  'is known to systemd with its main process, and what it says is in the journal': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    deepStrictEqual([shown('ActiveState'), shown('MainPID')], ['active', `${bench.pid(service)}`]);
    deepStrictEqual(shown('Slice'), 'system-evenkeel.slice');
    const failing = bench.service('two', 'fails');
    await rejects(bench.to(failing, 'running'));
    match(journal('-u', 'evenkeel@two.service', '-t', 'two'), /nobody gave me a port/);
  },
  'has systemd read its units again when one has changed, and only then': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    const before = readings();
    await bench.to(service, 'restarted');
    await bench.to(service, 'reloaded');
    deepStrictEqual(readings(), before);
    await bench.to({ ...service, reload: { signal: 'SIGWINCH' } }, 'reloaded');
    deepStrictEqual(readings(), before + 1);
  },
  'leaves no unit of a service that it has stopped for good': async (bench) => {
    for (const how of ['in-background', 'fails']) {
      const service = bench.service('one', how);
      await bench.to(service, 'running').catch(() => undefined);
      ok(existsSync(`/run/systemd/system/${UNIT}`));
      await bench.to(service, 'stopped');
      leftNothing();
    }
  },
  'ends the daemon that the direct driver has started before it starts its own, and leaves nothing of it':
    async (bench, direct) => {
      for (const service of stoppedEitherWay(bench)) {
        await direct.apply(service, ['start']);
        const first = direct.read(service).pid;
        deepStrictEqual(bench.pid(service), null);
        await bench.to(service, 'running');
        const second = bench.pid(service);
        deepStrictEqual([bench.all(), first === second], [[second], false]);
        ok(!existsSync(`${service.pidFile}.started`));
        await bench.to(service, 'stopped');
      }
    },
  'is followed by the direct driver, which goes on with its daemon, has systemd end it, and leaves nothing of it':
    async (bench, direct) => {
      for (const service of stoppedEitherWay(bench)) {
        await bench.to(service, 'running');
        const first = bench.pid(service);
        deepStrictEqual(direct.read(service).pid, first);
        // What is asked where only something of the kernel was to be mended.
        await direct.apply(service, []);
        deepStrictEqual(bench.all(), [first]);
        bench.configure(service, 'second');
        await direct.apply(service, ['reload']);
        await until('it serves that', () => bench.said(service, 'serves') === 'second\n', 30_000);
        await direct.apply(service, ['stop', 'start']);
        const second = direct.read(service).pid;
        leftNothing();
        // Whatever systemd does once a daemon of its has ended is done by then.
        systemctl('daemon-reload');
        deepStrictEqual([bench.all(), first === second], [[second], false]);
        deepStrictEqual(Number(readFileSync(service.pidFile, 'utf8')), second);
        await direct.apply(service, ['stop']);
        deepStrictEqual(bench.all(), []);
        await bench.to(service, 'running');
        await direct.apply(service, ['stop']);
        leftNothing();
        deepStrictEqual(bench.all(), []);
      }
    },
  'waits for a start that an operator has begun, and ends it only when nobody works at it': async (bench) => {
    const service = bench.service('one', 'slow-in-background');
    writeFileSync(at(service, 'go'), '');
    await bench.to(service, 'running');
    for (const what of ['go', 'serves']) rmSync(at(service, what));
    systemctl('restart', '--no-block', UNIT);
    await isStarting(bench, service);
    const [next] = bench.all();
    const letsGo = async () => {
      // As long as a driver takes that does not wait.
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      deepStrictEqual([bench.all(), shown('ActiveState')], [[next], 'activating']);
      writeFileSync(at(service, 'go'), '');
    };
    await Promise.all([bench.to(service, 'running'), letsGo()]);
    deepStrictEqual([bench.pid(service), bench.all()], [next, [next]]);
    const broken = bench.service('two', 'fails');
    await rejects(bench.to(broken, 'running'));
    systemctl('start', '--no-block', 'evenkeel@two.service');
    await rejects(bench.to(broken, 'running'), { code: 'service-failed', message: /it ended before/ });
  },
  'leaves it to an operator’s Restart= where there is one': async (bench) => {
    const service = bench.service('one', 'in-background');
    await withDropIn('[Service]\nRestart=always\nRestartSec=3\n', async () => {
      await bench.to(service, 'running');
      const before = bench.pid(service) ?? 0;
      process.kill(before, 'SIGKILL');
      await until('it waits', () => shown('SubState') === 'auto-restart', 30_000);
      await bench.to(service, 'running');
      deepStrictEqual([shown('NRestarts'), bench.all()], ['1', [bench.pid(service)]]);
      await bench.to(service, 'stopped');
    });
  },
  'says what systemd has refused, or an operator has stopped, and nothing against the daemon': async (
    bench,
  ) => {
    const service = bench.service('one', 'slow-in-background');
    const stops = async () => {
      await isStarting(bench, service);
      systemctl('stop', UNIT);
    };
    const refused = { code: 'systemd-failed', message: /was not started/ };
    await Promise.all([rejects(bench.to(service, 'running'), refused), stops()]);
    await withDropIn('[Service]\nExecStart=/bin/true\n', () =>
      rejects(bench.to(service, 'running'), refused),
    );
    deepStrictEqual(bench.all(), []);
  },
  'goes on with what an operator does by systemctl': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    const before = bench.pid(service);
    bench.configure(service, 'second');
    systemctl('reload', UNIT);
    await until('it serves that', () => bench.said(service, 'serves') === 'second\n', 30_000);
    deepStrictEqual(bench.pid(service), before);
    systemctl('restart', UNIT);
    ok(bench.pid(service) !== null && bench.pid(service) !== before);
    systemctl('stop', UNIT);
    deepStrictEqual(bench.pid(service), null);
    await bench.to(service, 'running');
    ok(bench.pid(service) !== null);
  },
  'neither starts nor stops under a name that another service runs with': async (bench) => {
    const service = bench.service('one', 'in-background');
    await bench.to(service, 'running');
    const pid = bench.pid(service);
    const other = { ...bench.service('two', 'in-background'), name: 'one' };
    await rejects(bench.to(other, 'running'), { code: 'service-failed', message: /another service/ });
    await bench.to(other, 'stopped');
    deepStrictEqual([bench.pid(service), bench.all()], [pid, [pid]]);
  },
};

const REAL = '/srv/real';
const PROGRAMS = {
  nginx: '/usr/sbin/nginx',
  apache2: '/usr/sbin/apache2',
  haproxy: '/usr/sbin/haproxy',
  keepalived: '/usr/sbin/keepalived',
};
const VRRP = `vrrp_instance v {
  interface vec0
  virtual_router_id 51
  virtual_ipaddress { 10.99.0.1/32 }
}
`;
const APACHE = (text: string) => `ServerName box
PidFile ${REAL}/apache.pid
ErrorLog ${REAL}/apache.log
Listen 8082
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
Redirect 303 / /${text}
`;
const NGINX = (text: string) => `pid ${REAL}/nginx.pid; events {}
http { server { listen 8081; location / { return 303 /${text}; } } }
`;
const WORDS = ['first', 'second'];
const HAPROXY = (text: string) => `global
  user haproxy
  stats socket ${REAL}/haproxy.sock mode 600 level admin expose-fd listeners
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend f
  bind 127.0.0.1:8083
  http-request redirect code 303 location /${text}
`;
const LVS = (text: string) => `virtual_server 10.99.0.2 80 {
  lvs_sched wrr
  lvs_method DR
  protocol TCP
  real_server 10.99.0.3 80 { weight ${WORDS.indexOf(text) + 1} }
}
`;
interface Real {
  conf: (text: string) => string;
  /** What has been loaded, as the world sees it; undefined where nothing shows it. */
  shows?: () => Promise<string>;
  service: Pick<ResolvedService, 'start' | 'reload' | 'stop'> & { sockets?: string[] };
}
/** Where somebody who asks at a port is led to. */
const leadsTo = (port: number) => async (): Promise<string> => {
  const asked = await fetch(`http://127.0.0.1:${port}/`, { redirect: 'manual' }).catch(() => null);
  return new URL(asked?.headers.get('location') ?? '/nowhere', 'http://box').pathname.slice(1);
};
/** By the weight of the only server in the kernel's table (0A630003 is 10.99.0.3). */
const inTable = async (): Promise<string> => {
  const table = readFileSync('/proc/net/ip_vs', 'utf8');
  const weight = Number(/^ *-> 0A630003:0050 +Route +(\d+) /m.exec(table)?.[1]);
  return WORDS[weight - 1] ?? table;
};

/** As the shipped policies start, reload and stop them. */
const real: Record<string, Real> = {
  nginx: {
    ...{ conf: NGINX, shows: leadsTo(8081) },
    service: {
      start: ['nginx', '-e', `${REAL}/error.log`, '-p', REAL, '-c', `${REAL}/nginx.conf`],
      ...{ reload: { signal: 'SIGHUP' }, stop: { signal: 'SIGQUIT' } },
    },
  },
  apache: {
    ...{ conf: APACHE, shows: leadsTo(8082) },
    service: {
      start: ['apache2', '-k', 'start', '-d', REAL, '-f', `${REAL}/apache.conf`],
      ...{ reload: { signal: 'SIGUSR1' }, stop: { signal: 'SIGWINCH' } },
    },
  },
  haproxy: {
    ...{ conf: HAPROXY, shows: leadsTo(8083) },
    service: {
      start: ['haproxy', '-W', '-D', '-f', `${REAL}/haproxy.conf`, '-p', `${REAL}/haproxy.pid`],
      ...{ reload: { signal: 'SIGUSR2' }, stop: { signal: 'SIGTERM' }, sockets: [`${REAL}/haproxy.sock`] },
    },
  },
  'keepalived-lvs': {
    ...{ conf: LVS, shows: inTable },
    service: {
      start: [
        ...['keepalived', '-C', '-I', '-n', '-l', '-f', `${REAL}/keepalived-lvs.conf`],
        ...['-p', `${REAL}/keepalived-lvs.pid`, '-c', `${REAL}/checkers.pid`],
      ],
      ...{ reload: { signal: 'SIGHUP' }, stop: { signal: 'SIGTERM' } },
    },
  },
  keepalived: {
    conf: () => VRRP,
    service: {
      start: [
        ...['keepalived', '-P', '-n', '-l', '-f', `${REAL}/keepalived.conf`, '-p', `${REAL}/keepalived.pid`],
        ...['-r', `${REAL}/vrrp.pid`],
      ],
      ...{ reload: { signal: 'SIGHUP' }, stop: { signal: 'SIGTERM' } },
    },
  },
};

/** Starts it, has it load another file where it can show that, and ends it. */
async function keepReal(name: string, { conf, shows, service: given }: Real): Promise<void> {
  const service: ResolvedService = {
    ...{ sockets: [], name, ...given, pidFile: `${REAL}/${name}.pid`, timeout: 60_000 },
  };
  const driver = driverOf('systemd')(createExecutables(PROGRAMS));
  const write = (text: string) => writeFileSync(`${REAL}/${name}.conf`, conf(text));
  const isShown = async (text: string) =>
    shows && until(`${name} shows ${text}`, async () => (await shows()) === text, 30_000);
  const [first = '', second = ''] = WORDS;
  write(first);
  await driver.apply(service, ['start']);
  const { pid } = driver.read(service);
  deepStrictEqual(systemctl('show', '--value', '-p', 'MainPID', `evenkeel@${name}`), `${pid}`);
  await isShown(first);
  write(second);
  await driver.apply(service, ['reload']);
  await isShown(second);
  deepStrictEqual(driver.read(service), { pid });
  await driver.apply(service, ['stop']);
  deepStrictEqual([driver.read(service), isAnyOfUnit(`evenkeel@${name}.service`)], [{ pid: null }, false]);
}

async function main(): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  const ended: Record<string, string> = {};
  for (const [title, keep] of Object.entries<Keep>({ ...promises, ...ofSystemd })) {
    const bench = tryOut({ folder: FOLDER, driver: driverOf('systemd') });
    const direct = driverOf('direct')(bench.executables);
    const began = performance.now();
    ended[title] = await keep(bench, direct).then(
      () => 'kept',
      (err: unknown) => messageOf(err),
    );
    await bench.clean();
    process.stderr.write(`${ended[title]} after ${Math.round(performance.now() - began)} ms: ${title}\n`);
  }
  mkdirSync(REAL, { recursive: true });
  for (const [name, one] of Object.entries(real))
    ended[name] = await keepReal(name, one).then(() => 'kept', messageOf);
  process.stdout.write(JSON.stringify(ended));
  process.exit(0);
}
await main();
