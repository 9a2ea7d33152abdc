/**
 * Inside a box whose kernel has IPVS: keeps the contract with the drivers lvs and ipvsadm, and says as JSON how each of
 * the promises ended. Told on its command line: the driver, and where keepalived's configuration lies.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createTrackedFiles } from '../../agent/drivers/lvs/files.ts';
import { createIpvs } from '../../agent/drivers/lvs/ipvs.ts';
import { createIpvsadmDriver } from '../../agent/drivers/lvs/ipvsadm.ts';
import { createLvsDriver } from '../../agent/drivers/lvs/lvs.ts';
import type { Declaration } from '../../agent/drivers/lvs/structure.ts';
import { createRun } from '../../agent/drivers/run.ts';
import type { BalancerDriver } from '../../common/balancer.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { isStopped, pidIn } from '../../common/processes.ts';
import { messageOf } from '../../protocol/errors.ts';
import { until } from '../support/until.ts';
import { type BalancerBench, byDriver, MEMBERS, type Promises, promises } from './balancer.contract.ts';
import { ADDRESSES, RUN, VIP } from './declared.ts';

const [, , which, configuration = '', declared = ''] = process.argv;
const folder = join(RUN, 'lvs');
const declaration = () => JSON.parse(readFileSync(declared, 'utf8')) as Declaration;
const run = createRun({ executables: createExecutables({ ipvsadm: '/usr/sbin/ipvsadm' }), clock });
const ipvsadm = (...args: string[]) => execFileSync('ipvsadm', args, { encoding: 'utf8' });
const SERVICE = `${VIP}:80`;
const alarms: boolean[] = [];

const isKeepalived = which === 'lvs';
const pidFiles = { parent: join(folder, 'keepalived.pid'), checkers: join(folder, 'checkers.pid') };
const kill = (file: string, signal: NodeJS.Signals) => {
  const pid = pidIn(file);
  if (pid !== null) process.kill(pid, signal);
};

async function start(): Promise<void> {
  rmSync(pidFiles.checkers, { force: true });
  const args = ['-C', '-I', '-n', '-f', configuration, '-p', pidFiles.parent, '-c', pidFiles.checkers];
  spawn('keepalived', args, { detached: true, stdio: 'ignore' }).unref();
  await until('keepalived runs', () => pidIn(pidFiles.checkers) !== null, 20_000);
}

function makeDriver(): BalancerDriver {
  const ipvs = createIpvs({ run, memory: join(folder, 'services') });
  if (!isKeepalived) return createIpvsadmDriver({ ipvs, declared: declaration });
  const checkers = () => pidIn(pidFiles.checkers);
  return createLvsDriver({
    ...{ ipvs, clock, declared: declaration },
    files: createTrackedFiles({ folder, clock }),
    isStopped: () => isStopped(checkers() ?? 0),
    alarm: (active) => alarms.push(active),
  });
}

/** By ipvsadm, and not by the driver's own reading. */
const shows = async (): Promise<Record<string, string>> => {
  const lines = ipvsadm('-S', '-n').split('\n');
  const weightOf = (address: string) =>
    lines
      .map((line) => new RegExp(`-a -t ${SERVICE} -r ${address}:80 .*-w (\\d+)`).exec(line)?.[1])
      .find(Boolean);
  return Object.fromEntries(MEMBERS.map((name) => [name, weightOf(ADDRESSES[name]) ?? 'out']));
};

let driver = makeDriver();
const bench: BalancerBench = {
  ...byDriver(() => driver, 'web-80'),
  shows,
  takeOut: async () => void ipvsadm('-d', '-t', SERVICE, '-r', `${ADDRESSES.n1}:80`),
  weigh: async () => void ipvsadm('-e', '-t', SERVICE, '-r', `${ADDRESSES.n2}:80`, '-m', '-w', '7'),
  restart: async () => {
    if (!isKeepalived) {
      driver = makeDriver();
      return;
    }
    kill(pidFiles.parent, 'SIGKILL');
    kill(pidFiles.checkers, 'SIGKILL');
    await start();
  },
};

const rowsAgree = async (isSo: () => Promise<boolean>, what: string) => {
  const tick = async () => {
    const rows = (await driver.read()) ?? [];
    const wants = MEMBERS.map((server) => ({
      backend: 'web-80',
      server,
      state: 'up' as const,
      weight: 100,
      probe: 'up' as const,
    }));
    const changes = driver.plan(wants, rows);
    if (changes.length > 0) await driver.apply(changes);
    return isSo();
  };
  await until(what, tick, 20_000);
};
const line = (pattern: string) =>
  ipvsadm('-S', '-n')
    .split('\n')
    .some((one) => one.includes(pattern));
const isWhole = async () => JSON.stringify(await shows()) === JSON.stringify({ n1: '100', n2: '100' });

/** What only a table of the kernel can be done to. */
const ofTheTable: Promises = {
  'puts right a scheduler, a persistence and a stranger, and leaves other addresses alone': async () => {
    await rowsAgree(isWhole, 'the table is whole');
    ipvsadm('-A', '-t', '203.0.113.9:80', '-s', 'rr');
    ipvsadm('-E', '-t', SERVICE, '-s', 'sh', '-p', '77');
    ipvsadm('-a', '-t', SERVICE, '-r', '203.0.113.7:80', '-m');
    ipvsadm('-A', '-t', `${VIP}:81`, '-s', 'rr');
    const isRight = async () =>
      line(`-A -t ${SERVICE} -s wlc -p 300`) &&
      !line('203.0.113.7') &&
      !line(`${VIP}:81`) &&
      line('203.0.113.9');
    await rowsAgree(isRight, 'the table is put right');
  },
  'puts back the whole service when the table was cleared': async () => {
    ipvsadm('-C');
    await rowsAgree(isWhole, 'the table is whole again');
  },
  'leaves nothing of its own to another driver, and all that is not its own': async () => {
    ipvsadm('-A', '-t', '203.0.113.9:80', '-s', 'rr');
    await driver.read();
    await createIpvs({ run, memory: join(folder, 'services') }).leave();
    if (line(VIP) || line('-A -f') || !line('203.0.113.9')) throw new Error(ipvsadm('-S', '-n'));
  },
};

const ofKeepalived: Promises = {
  'writes the table itself while keepalived hangs, and says so until it obeys again': async () => {
    await rowsAgree(isWhole, 'the table is whole');
    const one = (state: 'up' | 'down') => [
      { backend: 'web-80', server: 'n1', state, weight: state === 'up' ? 100 : 0, probe: state },
      { backend: 'web-80', server: 'n2', state: 'up' as const, weight: 100, probe: 'up' as const },
    ];
    kill(pidFiles.checkers, 'SIGSTOP');
    try {
      const rows = (await driver.read()) ?? [];
      await driver.apply(driver.plan(one('down'), rows));
      if ((await shows()).n1 !== 'out') throw new Error(ipvsadm('-S', '-n'));
      if (alarms.at(-1) !== true) throw new Error('there was no alarm');
    } finally {
      kill(pidFiles.checkers, 'SIGCONT');
    }
    await rowsAgree(isWhole, 'the table is whole again');
    if (alarms.at(-1) !== false) throw new Error('the alarm was not taken back');
  },
};

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true });
  for (const address of Object.values(ADDRESSES))
    await once(createServer((socket) => socket.destroy()).listen(80, address), 'listening');
  await driver.keep();
  if (isKeepalived) await start();
  const ended: Record<string, string> = {};
  const all = { ...promises, ...(isKeepalived ? ofKeepalived : {}), ...ofTheTable };
  for (const [title, keep] of Object.entries(all)) {
    const said = await keep(bench).then(
      () => 'kept',
      (err: unknown) => messageOf(err),
    );
    ended[title] = said;
  }
  kill(pidFiles.parent, 'SIGTERM');
  process.stdout.write(JSON.stringify(ended));
  process.exit(0);
}
await main();
