/** One storage or one customer that is wrong keeps nobody else from being served, and no link leads root elsewhere. */
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun, type Run } from '../../agent/drivers/run.ts';
import { createKernel, type Kernel } from '../../agent/kernel/kernel.ts';
import { type Line, parseLines } from '../../agent/kernel/lines.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { type Home, openHome } from '../support/home.ts';
import { until } from '../support/until.ts';
import { declared } from '../unit/render/declared.ts';
import { addresses, bringUp, ip, marks, run } from './network.ts';

const ETAB = '/var/lib/nfs/etab';
const clock = systemClock;
const log = createLog('agent', 'silent');

/** What the tools of quotas say of a disk of the test: kernels without quotas are about. */
interface Quotas {
  users: string[];
  limits: Map<string, string>;
  /** How often they were read, and set. */
  read: number;
  set: number;
  /** How reading goes wrong. */
  fault: 'late' | 'long' | null;
}

let folder: string;
let quotas: Quotas;
let damage: string[];

const names = ['exportfs', 'ip', 'iptables-legacy', 'mount', 'stat', 'umount', 'sleep'];
const executables = createExecutables(
  Object.fromEntries(
    names.map((name) => [name, run('sh', '-c', `PATH=$PATH:/usr/sbin command -v ${name}`).trim()]),
  ),
);
const real = createRun({ executables, clock });

const tools: Run = async (command, options) => {
  if (command[0] === 'repquota') {
    quotas.read += 1;
    if (quotas.fault === 'late') throw new EvenkeelError('command-timeout', 'repquota did not end');
    if (quotas.fault === 'long') return { status: 0, output: 'x'.repeat(options.most ?? 0) };
    const rows = [...quotas.limits].map(([user, limits]) => `${user},ok,ok,0,${limits.replace(' ', ',')},`);
    return { status: 0, output: ['user,', ...rows].join('\n') };
  }
  if (command[0] === 'setquota') {
    const [, , user = '', soft, hard] = command;
    if (!quotas.users.includes(user)) return { status: 1, output: `setquota: user ${user} does not exist` };
    quotas.set += 1;
    quotas.limits.set(user, `${soft} ${hard}`);
    return { status: 0, output: '' };
  }
  if (command[0] === 'mount') begun.push(existsSync(command.at(-1) ?? ''));
  return real(command, options);
};

/** Whether the places of mounts were there already when they began. */
let begun: boolean[] = [];

const kernelIn = (state: string, folders = ['*']): Kernel =>
  createKernel({
    folder: state,
    aside: join(folder, 'mounts'),
    allowed: { sysctls: ['*'], modules: ['*'], devices: ['*'], folders },
    run: tools,
    clock,
    log,
    damaged: (message) => damage.push(message),
    isRoot: true,
  });

beforeAll(() => {
  bringUp();
  run('mount', '-t', 'tmpfs', 'tmpfs', '/var/lib/nfs');
});
beforeEach(() => {
  writeFileSync(ETAB, '');
  folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  run('mount', '-t', 'tmpfs', 'tmpfs', folder);
  quotas = { users: ['bob'], limits: new Map(), read: 0, set: 0, fault: null };
  damage = [];
});
afterEach(() => {
  for (const point of mountsBelow(folder).reverse()) run('umount', '-l', point);
  rmSync(folder, { recursive: true });
});

const mountsBelow = (place: string) =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => `${point}/`.startsWith(`${place}/`));

const make = (...paths: string[]) => {
  for (const path of paths) mkdirSync(join(folder, path), { recursive: true });
};

function linesOf(...text: string[]): Line[] {
  const { lines, problems } = parseLines(text.join('\n'));
  expect(problems).toEqual([]);
  return lines;
}

async function another(home: Home, unit: string, first: number): Promise<number> {
  const file = join(home.paths.run, `${unit}.pid`);
  const isThere = () => existsSync(file) && ![0, first].includes(home.pid(unit));
  await until('another runs', isThere, 3_000);
  return home.pid(unit);
}

describe('one who is wrong', () => {
  const gone = () => `quota ann ${folder}/home 1g 2g`;

  it('[3.7] a quota of a user who is gone, or a folder that is gone, keeps no other from being made, and is told by its line', async () => {
    const kernel = kernelIn(join(folder, 'state'));
    make('home');
    const lines = linesOf(
      gone(),
      `bind ${folder}/nothere ${folder}/nfs/nothere`,
      `export ${folder}/nothere 10.0.0.12 rw,fsid=8`,
      `bind ${folder}/home ${folder}/nfs/home`,
      `export ${folder}/home 10.0.0.12 rw,fsid=7`,
      `quota bob ${folder}/home 1g 2g`,
    );
    const error: EvenkeelError = await kernel.apply('a', lines).catch((err) => err);
    expect(error.code).toBe('line-failed');
    expect(error.message).toMatch(new RegExp(`^${gone()}: .*user ann does not exist`, 'm'));
    expect(error.message).toContain(`there is no folder ${folder}/nothere`);
    expect(error.message).not.toContain('bob');
    expect(mountsBelow(folder)).toContain(`${folder}/nfs/home`);
    expect(readFileSync(ETAB, 'utf8')).toContain(`${folder}/home\t10.0.0.12/32(rw`);
    expect([...quotas.limits]).toEqual([['bob', '1048576 2097152']]);
    expect(await kernel.differing(lines)).toHaveLength(3);
  });

  it('[3.7] two quotas of one user on one disk are both left alone, each with the other one, instead of a fight', async () => {
    const kernel = kernelIn(join(folder, 'state'));
    make('home', 'mail');
    const [home, mail] = [`quota bob ${folder}/home 1g 2g`, `quota bob ${folder}/mail 3g 4g`] as const;
    for (const _ of [1, 2])
      await expect(kernel.apply('a', linesOf(home, mail))).rejects.toMatchObject({
        code: 'line-failed',
        message: expect.stringContaining(`${mail}: ${home} is about the same`),
      });
    expect(quotas.set).toBe(0);
    const same = `quota bob ${folder}/mail 1g 2g`;
    await kernel.apply('a', linesOf(home));
    await kernel.apply('a', linesOf(home, same));
    await kernel.apply('a', linesOf(same));
    expect(quotas.limits.get('bob')).toBe('1048576 2097152');
    await kernel.apply('a', []);
    expect(quotas.limits.get('bob')).toBe('0 0');
  });

  it.each([
    ['late', 'repquota did not end'],
    ['long', 'repquota says more than'],
  ] as const)(
    '[3.7] a list of quotas that comes too %s is told, and nothing is set again',
    async (fault, said) => {
      const kernel = kernelIn(join(folder, 'state'));
      make('home');
      const lines = linesOf(`quota bob ${folder}/home 1g 2g`);
      await kernel.apply('a', lines);
      quotas.fault = fault;
      const next = kernelIn(join(folder, 'state'));
      await expect(next.apply('a', lines)).rejects.toMatchObject({
        code: 'line-failed',
        message: expect.stringContaining(said),
      });
      expect(quotas.set).toBe(1);
    },
  );

  it('[3.7] the list of quotas is not read every two seconds', async () => {
    const kernel = kernelIn(join(folder, 'state'));
    make('home');
    const lines = linesOf(`quota bob ${folder}/home 1g 2g`);
    await kernel.apply('a', lines);
    const before = quotas.read;
    for (let look = 0; look < 5; look += 1) await kernel.differing(lines);
    expect(quotas.read).toBe(before);
  });

  it('[3.7] the daemon of a file server runs all the same, what else changes is taken, and the unit says which line is wrong', async () => {
    const unit = 'server';
    make('home');
    const template = (...text: string[]) =>
      declared('Template', 'storage/lines.hbs', { syntax: 'kernel', text: `${text.join('\n')}\n` });
    const policy = declared('Policy', unit, {
      role: 'web',
      files: [{ template: 'storage/lines.hbs', path: 'lines.kernel' }],
      kernel: 'lines.kernel',
      service: {
        name: 'sleeper',
        start: ['sleep', '1000'],
        reload: { signal: 'WINCH' },
        pidFile: '{{run}}/{{unit}}.pid',
        foreground: true,
        timeout: '10s',
      },
      checks: [{ name: 'kernel', type: 'kernel', interval: '1s', timeout: '2s', fall: 1, rise: 1 }],
    });
    const home = await openHome({ parts: { kernel: kernelIn(join(folder, 'state')), executables } });
    try {
      const cluster = declared('Cluster', 'cluster', { address: '127.0.0.1' });
      await home.declare(cluster, home.node({ parameters: {} }), policy, template(gone()));
      const last = () => home.unitReports(unit).at(-1);
      await until('it is told', async () => last()?.error?.code === 'line-failed', 10_000);
      expect(last()).toMatchObject({ result: 'failed', held: [] });
      expect(last()?.error?.message).toContain(gone());
      const first = home.pid(unit);
      expect(existsSync(`/proc/${first}`)).toBe(true);
      // It has just been looked at, and would be in 5 s.
      process.kill(first, 'SIGKILL');
      const pid = await another(home, unit, first);
      await until('it is told as well', async () => last()?.error?.code === 'line-failed', 10_000);

      await home.declare(template(gone(), 'address 192.0.2.70/32 dev lo'));
      await until('it is made', async () => addresses('lo').includes('192.0.2.70/32'), 10_000);
      const { digest } = last() ?? {};
      await until('it is told again', async () => last()?.digest !== digest, 10_000);
      expect(last()).toMatchObject({ result: 'failed', held: [], error: { code: 'line-failed' } });
      expect(home.pid(unit)).toBe(pid);
      const told = home.reports.filter(({ type }) => type === 'drift' || type === 'fight');
      expect(told.filter((one) => !('action' in one && one.action === 'reported'))).toEqual([]);

      quotas.users.push('ann');
      await until('it is well', async () => last()?.result !== 'failed', 15_000);
      expect(quotas.limits.get('ann')).toBe('1048576 2097152');
    } finally {
      await home.end();
    }
  });
});

it('[3.7] a folder that is bound for clients is never there without what is bound: who mounts it just then would keep an empty one', async () => {
  const kernel = kernelIn(join(folder, 'state'));
  make('data/home/site');
  begun = [];
  await kernel.apply('a', linesOf(`bind ${folder}/data/home ${folder}/nfs/data/home`));
  expect(begun).toEqual([false]);
  expect(readdirSync(`${folder}/nfs/data/home`)).toEqual(['site']);
  await kernel.apply('a', []);
  expect(existsSync(`${folder}/nfs/data/home`)).toBe(false);
});

it('[3.7] a disk that comes late is what clients see then, and one that goes is not replaced by the folder below it', async () => {
  const kernel = kernelIn(join(folder, 'state'));
  make('data/home');
  const lines = linesOf(`bind ${folder}/data/home ${folder}/nfs/home`);
  await kernel.apply('a', lines);
  run('mount', '-t', 'tmpfs', 'tmpfs', `${folder}/data`);
  make('data/home/site');
  expect(await kernel.differing(lines)).toHaveLength(1);
  await kernel.apply('a', lines);
  expect(readdirSync(`${folder}/nfs/home`)).toEqual(['site']);
  expect(await kernel.differing(lines)).toEqual([]);
  run('umount', '-l', `${folder}/data`);
  await expect(kernel.apply('a', lines)).rejects.toMatchObject({
    code: 'line-failed',
    message: expect.stringContaining(`nothing is mounted at ${folder}/data any more`),
  });
  expect(readdirSync(`${folder}/nfs/home`)).toEqual(['site']);
  await kernel.apply('a', []);
  expect(mountsBelow(`${folder}/nfs`)).toEqual([]);
});

describe('what was there before us, and then not any more', () => {
  it('[3.4] is ours when we have made it, and goes with its line', async () => {
    const kernel = kernelIn(join(folder, 'state'));
    const lines = linesOf('address 192.0.2.71/32 dev lo');
    ip('address', 'add', '192.0.2.71/32', 'dev', 'lo');
    await kernel.apply('a', lines);
    ip('address', 'del', '192.0.2.71/32', 'dev', 'lo');
    await kernel.apply('a', lines);
    expect(addresses('lo')).toContain('192.0.2.71/32');
    await kernel.apply('a', []);
    expect(addresses('lo')).not.toContain('192.0.2.71/32');
  });
});

describe('a link in the way', () => {
  it('[3.7] leads neither a mount, an export nor a link out of the list, and is named with where it leads', async () => {
    make('home/ann', 'src', 'victim');
    symlinkSync(`${folder}/victim`, `${folder}/home/ann/b`);
    const kernel = kernelIn(join(folder, 'state'), [`${folder}/home/*`, `${folder}/src`]);
    for (const line of [
      `bind ${folder}/src ${folder}/home/ann/b`,
      `bind ${folder}/src ${folder}/home/ann/b/new`,
      `bind ${folder}/home/ann/b ${folder}/home/bound`,
      `export ${folder}/home/ann/b 10.0.0.12 rw,fsid=7`,
      `mount nfs4 10.0.0.99:/home ${folder}/home/ann/b`,
      `symlink ${folder}/home/ann/b/link ${folder}/src`,
    ]) {
      const said = `${line}: ${folder}/home/ann/b is a link to ${folder}/victim`;
      await expect(kernel.apply('a', linesOf(line))).rejects.toMatchObject({
        message: expect.stringContaining(said),
      });
    }
    expect(mountsBelow(`${folder}/victim`)).toEqual([]);
    expect(mountsBelow(`${folder}/home`)).toEqual([]);
    expect(readdirSync(`${folder}/victim`)).toEqual([]);
    expect(readFileSync(ETAB, 'utf8')).toBe('');
  });

  it('[3.7] cannot be put there meanwhile either: a folder of a site owner is no place for a mount of root', async () => {
    make('home/ann/b', 'src');
    chownSync(join(folder, 'home/ann'), 1000, 1000);
    const kernel = kernelIn(join(folder, 'state'));
    await expect(kernel.apply('a', linesOf(`bind ${folder}/src ${folder}/home/ann/b`))).rejects.toMatchObject(
      {
        message: expect.stringContaining(`${folder}/home/ann is not root's alone (user 1000`),
      },
    );
    expect(mountsBelow(`${folder}/home`)).toEqual([]);
  });
});

it('[3.3] ports whose mark or number changes keep no rule of before, and never lack one', async () => {
  const kernel = kernelIn(join(folder, 'state'));
  await kernel.apply('a', linesOf('mark 192.0.2.10 tcp 80,443 7'));
  await kernel.apply('a', linesOf('mark 192.0.2.10 tcp 80,443 8'));
  expect(marks()).not.toContain('0x7/');
  expect(marks().match(/0x8\//g)).toHaveLength(2);
  await kernel.apply('a', linesOf('mark 192.0.2.10 tcp 80 8'));
  expect(marks().match(/--dport \d+ -j/g)).toEqual(['--dport 80 -j']);
  await kernel.apply('a', []);
  expect(marks()).not.toContain('EVENKEEL');
});

describe('what was made', () => {
  it('[3.4] is written down before it is made, many lines at once', async () => {
    const kernel = kernelIn(join(folder, 'state'));
    const lines = linesOf(...Array.from({ length: 10 }, (_, at) => `address 198.51.100.${at}/32 dev lo`));
    const file = join(folder, 'state/kernel.json');
    const failing = linesOf('address 198.51.100.200/32 dev nothere0', 'address 198.51.100.201/32 dev lo');
    await expect(kernel.apply('b', failing)).rejects.toMatchObject({ code: 'kernel-refused' });
    expect(readFileSync(file, 'utf8')).toContain('198.51.100.201/32');
    expect(addresses('lo')).not.toContain('198.51.100.201/32');
    await kernel.apply('a', lines);
    expect(JSON.parse(readFileSync(file, 'utf8')).made).toHaveLength(12);
    await kernel.apply('a', []);
    await kernel.apply('b', []);
  });

  it('[3.4] and cannot be read is put aside, and told loudly', async () => {
    mkdirSync(join(folder, 'state'));
    const file = join(folder, 'state/kernel.json');
    writeFileSync(file, '{"made":[{"id":');
    const kernel = kernelIn(join(folder, 'state'));
    await kernel.apply('a', linesOf('address 192.0.2.72/32 dev lo'));
    expect(damage).toHaveLength(1);
    expect(damage[0]).toContain(`${file}.damaged`);
    expect(readFileSync(`${file}.damaged`, 'utf8')).toBe('{"made":[{"id":');
    await kernel.apply('a', []);
    expect(addresses('lo')).not.toContain('192.0.2.72/32');
  });
});
