/** Lines that change hands between units, and a record that cannot be written: nothing is missing for a moment or left for ever. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun, type Run } from '../../agent/drivers/run.ts';
import { createKernel } from '../../agent/kernel/kernel.ts';
import { type Line, parseLines } from '../../agent/kernel/lines.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Resource } from '../../protocol/resource.ts';
import { kernelOf, newFolder, openHome } from '../support/home.ts';
import { until } from '../support/until.ts';
import { declared } from '../unit/render/declared.ts';
import { addresses, bringUp, ip, setting } from './network.ts';

const VIP = '192.0.2.80/32';
const LINE = `address ${VIP} dev lo`;

let folder: string;
beforeAll(bringUp);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernel-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function linesOf(...text: string[]): Line[] {
  const { lines, problems } = parseLines(text.join('\n'));
  expect(problems).toEqual([]);
  return lines;
}

const recordIn = (state: string): { made: { text: string; units: string[] }[] } =>
  JSON.parse(readFileSync(join(state, 'kernel.json'), 'utf8'));

/** What the kernel itself says of addresses while a test runs, however busy the agent is. */
async function watched(work: () => Promise<void>): Promise<string> {
  const monitor = spawn('ip', ['-o', 'monitor', 'address'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let said = '';
  monitor.stdout.setEncoding('utf8').on('data', (part: string) => {
    said += part;
  });
  const other = '192.0.2.99/32';
  try {
    // It listens when it says what is done.
    await until('it listens', async () => {
      ip('address', 'replace', other, 'dev', 'lo');
      ip('address', 'del', other, 'dev', 'lo');
      return said.includes(other);
    });
    await work();
    ip('address', 'replace', '192.0.2.98/32', 'dev', 'lo');
    await until('all is heard', () => said.includes('192.0.2.98/32'));
    ip('address', 'del', '192.0.2.98/32', 'dev', 'lo');
    return said;
  } finally {
    monitor.kill();
    await once(monitor, 'exit');
  }
}

describe('a line that changes hands', () => {
  it('[3.4] is neither gone nor forgotten when both units come at once, in either order', async () => {
    for (let time = 0; time < 20; time += 1) {
      const state = join(folder, String(time));
      mkdirSync(state);
      const kernel = kernelOf(state, systemClock);
      await kernel.apply('mail', linesOf(LINE));
      const passes = [() => kernel.apply('mail', []), () => kernel.apply('web', linesOf(LINE))];
      if (time % 2 === 1) passes.reverse();
      await Promise.all(passes.map((pass) => pass()));
      expect(addresses('lo')).toContain(VIP);
      expect(recordIn(state).made).toMatchObject([{ text: LINE, units: ['web'] }]);
      await kernel.apply('web', []);
      expect(addresses('lo')).not.toContain(VIP);
    }
  });

  it('[3.4] with another value is taken over from a unit that is about to give it up, and goes back to what it was', async () => {
    const key = 'net.ipv4.conf.lo.arp_ignore';
    const kernel = kernelOf(folder, systemClock);
    writeFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, '0');
    await kernel.apply('mail', linesOf(`sysctl ${key} 1`));
    for (const unit of ['mail', 'web']) {
      kernel.expect(unit);
      kernel.begin(unit);
    }
    const web = kernel.apply('web', linesOf(`sysctl ${key} 2`));
    await kernel.apply('mail', []);
    await web;
    expect(setting(key)).toBe('2');
    expect(recordIn(folder).made).toMatchObject([{ units: ['web'] }]);
    await kernel.apply('web', []);
    expect(setting(key)).toBe('0');
  });

  it('[3.4] waits for a unit whose pass is on its way, and not for one whose pass ended without a word', async () => {
    const kernel = kernelOf(folder, systemClock);
    await kernel.apply('mail', linesOf(LINE));
    for (const unit of ['mail', 'web', 'ftp']) {
      kernel.expect(unit);
      kernel.begin(unit);
    }
    // That of `web` began before what is expected now was declared.
    kernel.expect('web');
    const given = kernel.apply('mail', []);
    kernel.over('ftp');
    kernel.over('web');
    await systemClock.sleep(200);
    expect(addresses('lo')).toContain(VIP);
    kernel.begin('web');
    kernel.over('web');
    await given;
    expect(addresses('lo')).not.toContain(VIP);
  });

  it('[3.4] is there all the time when policies hand it over, whichever unit is ready first', async () => {
    const unitOf = (name: string): Resource =>
      declared('Policy', name, {
        role: 'web',
        files: [{ template: `lines/${name}.hbs`, path: 'some.kernel' }],
        kernel: 'some.kernel',
      });
    const lines = (name: string, ...text: string[]): Resource =>
      declared('Template', `lines/${name}.hbs`, {
        syntax: 'kernel',
        text: `# ${name} ${Math.random()}\n${text.join('\n')}\n`,
      });
    const home = await openHome({ folder: newFolder() });
    try {
      const cluster = declared('Cluster', 'cluster', { address: '127.0.0.1' });
      await home.declare(cluster, home.node({ parameters: {} }), unitOf('a'), unitOf('b'));
      await home.declare(lines('a', LINE), lines('b'));
      await until('it is made', () => addresses('lo').includes(VIP));
      const said = await watched(async () => {
        for (const [to, from] of ['ba', 'ab', 'ba', 'ab'].map((pair) => pair.split(''))) {
          await home.declare(lines(to as string, LINE), lines(from as string));
          await until('it has changed hands', async () => {
            const [entry] = recordIn(home.paths.state).made;
            return entry?.units.join() === to;
          });
          await home.units().idle();
        }
      });
      expect(said.split('\n').filter((line) => line.includes(VIP))).toEqual([]);
      expect(addresses('lo')).toContain(VIP);
    } finally {
      await home.units().idle();
      for (const unit of ['a', 'b']) await kernelOf(home.paths.state, systemClock).apply(unit, []);
      await home.end();
    }
  });
});

it('[3.4] nothing is made while it cannot be written down, and then it is, and is known to the next agent', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'small', folder]);
  try {
    const kernel = kernelOf(folder, systemClock);
    const full = join(folder, 'full');
    expect(() => writeFileSync(full, Buffer.alloc(64 * 1024))).toThrow('ENOSPC');
    for (const _ of [1, 2]) {
      await expect(kernel.apply('a', linesOf(LINE))).rejects.toThrow('ENOSPC');
      expect(addresses('lo')).not.toContain(VIP);
    }
    rmSync(full);
    await kernel.apply('a', linesOf(LINE));
    expect(statSync(join(folder, 'kernel.json')).size).toBeGreaterThan(20);
    await kernelOf(folder, systemClock).apply('a', []);
    expect(addresses('lo')).not.toContain(VIP);
  } finally {
    execFileSync('umount', [folder]);
  }
});

it('[3.7] a link that cannot be made keeps nothing else from being made or undone, and is told by its line', async () => {
  const kernel = kernelOf(folder, systemClock);
  await kernel.apply('client', linesOf('address 192.0.2.81/32 dev lo'));
  mkdirSync(join(folder, 'home/ann'), { recursive: true });
  const lines = linesOf(
    `symlink ${folder}/home ${folder}/chroot/home`,
    LINE,
    `symlink ${folder}/two ${folder}/chroot/two`,
  );
  await expect(kernel.apply('client', lines)).rejects.toMatchObject({
    code: 'line-failed',
    message: expect.stringMatching(
      /^symlink \S+\/home \S+: \S+\/home is a folder with something in it[^\n]*$/,
    ),
  });
  expect(addresses('lo')).toContain(VIP);
  expect(addresses('lo')).not.toContain('192.0.2.81/32');
  expect(readlinkSync(join(folder, 'two'))).toBe(`${folder}/chroot/two`);
  await kernel.apply('client', []);
});

it('[3.4] an address that cannot be undone keeps the settings without which all would be told that it is here', async () => {
  const clock = systemClock;
  let isBusy = true;
  const real = createRun({
    executables: createExecutables({ ip: '/usr/sbin/ip', stat: '/usr/bin/stat' }),
    clock,
  });
  const busy: Run = (command, options) =>
    isBusy && command.includes('del')
      ? Promise.reject(new EvenkeelError('command-timeout', 'ip did not end within 5000 ms'))
      : real(command, options);
  const kernel = createKernel({
    ...{ folder, aside: join(folder, 'mounts'), run: busy, clock, isRoot: true },
    allowed: { sysctls: ['*'], modules: ['*'], devices: ['*'], folders: ['*'] },
    log: createLog('agent', 'silent'),
  });
  const [key, other] = ['net.ipv4.conf.lo.arp_ignore', 'net.ipv4.conf.lo.arp_announce'];
  const settings = [`sysctl ${key} 1`, `sysctl ${other} 2`];
  await kernel.apply('realserver', linesOf(...settings, LINE, `symlink ${folder}/two ${folder}/chroot`));
  await expect(kernel.apply('realserver', [])).rejects.toMatchObject({ code: 'undo-failed' });
  expect(addresses('lo')).toContain(VIP);
  expect([setting(key), setting(other)]).toEqual(['1', '2']);
  // What has nothing to do with it goes, and it is known that the rest is owed.
  expect(existsSync(join(folder, 'two'))).toBe(false);
  expect(await kernel.isOwing('realserver', [])).toBe(true);
  isBusy = false;
  await kernel.apply('realserver', []);
  expect(addresses('lo')).not.toContain(VIP);
  expect([setting(key), setting(other)]).toEqual(['0', '0']);
});

it('[3.4] a look at a thousand addresses does not take the agent seconds', async () => {
  const text = Array.from({ length: 1_000 }, (_, at) => `192.0.${2 + (at >> 8)}.${at & 255}/32 dev lo`);
  const all = (word: string) =>
    execFileSync('ip', ['-batch', '-'], { input: text.map((one) => `address ${word} ${one}\n`).join('') });
  const kernel = kernelOf(folder, systemClock);
  all('add');
  try {
    const before = process.cpuUsage();
    expect(await kernel.differing(linesOf(...text.map((one) => `address ${one}`)))).toEqual([]);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(2_000);
  } finally {
    all('del');
  }
});
