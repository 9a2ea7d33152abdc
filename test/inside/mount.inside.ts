/** Mounts of storages by the real kernel and tools, with a tmpfs in the place of each NFS: kernels without NFS are about. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLines } from '../../agent/kernel/apply.ts';
import { createEyes } from '../../agent/kernel/hands.ts';
import { type Line, parseLines } from '../../agent/kernel/lines.ts';
import { openMade } from '../../agent/kernel/made.ts';
import { sweepAside } from '../../agent/kernel/mount.ts';
import type { Hands } from '../../agent/kernel/thing.ts';
import { createTurns } from '../../agent/kernel/turns.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { run } from './network.ts';

/** What a tmpfs takes of the options; the kernel is said to show these of NFS. */
const OF_EVERY_MOUNT = /^no(?:suid|dev|exec|atime)$/;
const OF_NFS = 'hard,proto=tcp,timeo=50,retrans=2';
const SOURCE = '10.0.0.1:/data/home';

let folder: string;
let point: string;
let calls: string[][];
let fault: (command: readonly string[]) => void;
let warned: string[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  run('mount', '-t', 'tmpfs', 'root', folder);
  point = join(folder, 'home');
  mkdirSync(point);
  calls = [];
  warned = [];
  fault = () => undefined;
});
afterEach(() => {
  for (const { point: place } of mounted().reverse()) run('umount', '-l', place);
  rmSync(folder, { recursive: true });
});

const table = () => readFileSync('/proc/self/mountinfo', 'utf8');
const mounted = () =>
  table()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([, , , , place = '', own = '']) => ({ point: place, own: own.split(',') }))
    .filter((one) => `${one.point}/`.startsWith(`${folder}/`));
const layers = () => mounted().filter((one) => one.point === point);
const aside = () => join(folder, 'run/mounts');
const flags = () => layers().at(-1)?.own.sort().join();

function inPlaceOfNfs(command: readonly string[]): readonly string[] {
  if (command[2] !== 'nfs4') return command;
  const at = command.indexOf('-o');
  const options = command[at + 1]?.split(',').filter((option) => OF_EVERY_MOUNT.test(option)) ?? [];
  return ['mount', '-t', 'tmpfs', '-o', ['rw', ...options].join(','), ...command.slice(-2)];
}

async function agent() {
  const real = createEyes(async () => ({ status: 0, output: 'ok' }), systemClock, new Map());
  const eyes = {
    ...real,
    read: (file: string) =>
      readFileSync(file, 'utf8').replace(/- tmpfs (\d\S+) (\S+)/g, `- nfs4 $1 $2,${OF_NFS}`),
  };
  const hands: Hands = {
    aside: aside(),
    call: async (command) => {
      calls.push([...command]);
      fault(command);
      const [path = '', ...args] = inPlaceOfNfs(command);
      try {
        execFileSync(path, args, { stdio: 'pipe' });
      } finally {
        eyes.forget();
      }
    },
    write: async () => undefined,
    pause: async () => undefined,
    warn: (message) => void warned.push(message),
  };
  const log = createLog('agent', 'silent');
  const made = await openMade(join(folder, 'state'), () => undefined);
  const tools = { made, turns: createTurns(systemClock), hands, eyes, log };
  await sweepAside(hands, eyes);
  return (...options: string[]) => {
    eyes.forget();
    return applyLines('client', linesOf(...options), tools);
  };
}

function linesOf(...options: string[]): Line[] {
  const { lines, problems } = parseLines(
    `mount nfs4 ${SOURCE} ${point} ${[OF_NFS, 'noatime,nodev,nosuid', ...options].join(',')}`,
  );
  expect(problems).toEqual([]);
  return lines;
}

describe('a line of fstab about the same place', () => {
  afterEach(() => run('umount', '/etc/fstab'));

  it.each(['defaults', 'defaults,usrquota'])(
    '[3.7] with %s changes nothing when a storage becomes read-only, and when it is read-write again',
    async (options) => {
      writeFileSync(join(folder, 'fstab'), `/dev/sda5 ${point} ext4 ${options} 0 2\n`);
      run('mount', '--bind', join(folder, 'fstab'), '/etc/fstab');
      const apply = await agent();
      await apply();
      expect(flags()).toBe('noatime,nodev,nosuid,rw');
      await apply('ro');
      expect(flags()).toBe('noatime,nodev,nosuid,ro');
      await apply();
      expect(flags()).toBe('noatime,nodev,nosuid,rw');
    },
  );
});

it('[3.7] a storage is not called read-only while an older mount of it below takes writes, and it is said what to do', async () => {
  const apply = await agent();
  await apply();
  // As after a change of options: what was open goes on below.
  run('mount', '-t', 'tmpfs', '-o', 'nosuid,nodev,noatime', SOURCE, point);
  await apply();
  await expect(apply('ro')).rejects.toMatchObject({
    code: 'mount-failed',
    message: expect.stringMatching(/older mount of it below takes writes.*maintenance.*umount -l/),
  });
  expect(flags()).toBe('noatime,nodev,nosuid,rw');
  while (layers().length > 0) run('umount', '-l', point);
  await apply('ro');
  expect(flags()).toBe('noatime,nodev,nosuid,ro');
});

it('[3.7] a storage is called read-only over an older mount of it that was so already', async () => {
  const apply = await agent();
  await apply('ro');
  run('mount', '-t', 'tmpfs', '-o', 'nosuid,nodev,noatime', SOURCE, point);
  await apply('ro');
  expect(layers()).toHaveLength(2);
  expect(flags()).toBe('noatime,nodev,nosuid,ro');
});

it('[3.7] a storage is never mounted where programs tidy up, and what a killed agent leaves is taken away by the next', async () => {
  const apply = await agent();
  // Dies, as it were, before the mount is where it belongs.
  fault = (command) => {
    if (command.includes('--bind') || command[0] === 'umount') throw new Error('killed');
  };
  await expect(apply('ro')).rejects.toMatchObject({ code: 'mount-failed' });
  const [, place = ''] = mounted().map((one) => one.point);
  expect(place).toMatch(`${aside()}/mount-`);
  expect(statSync(aside()).mode & 0o777).toBe(0o700);
  fault = () => undefined;
  await agent();
  expect(mounted().map((one) => one.point)).toEqual([folder]);
  expect(readdirSync(aside())).toEqual([]);
});

it('[3.7] a place with very many mounts one over the other is left as it is, never empty, with what to do', async () => {
  const apply = await agent();
  for (let layer = 0; layer < 32; layer += 1) run('mount', '-t', 'tmpfs', `10.0.0.9:/${layer}`, point);
  await expect(apply()).rejects.toMatchObject({
    code: 'mount-failed',
    message: expect.stringMatching(/32 mounts lie one over the other.*maintenance.*umount -l/),
  });
  expect(layers()).toHaveLength(32);
});

describe('options of a mount that stands', () => {
  const given = () => calls.filter(([, , type]) => type === 'nfs4').map((command) => command[4]);

  it('[3.7] are applied by a mount over it also where the kernel does not tell them, once', async () => {
    const apply = await agent();
    await apply();
    for (const _ of [1, 2]) await apply('actimeo=3');
    expect(given().map((options) => options?.includes('actimeo=3'))).toEqual([false, true]);
    expect(layers()).toHaveLength(2);
    for (const _ of [1, 2]) await apply();
    expect(layers()).toHaveLength(3);
    expect(given().at(-1)).not.toContain('actimeo');
  });

  it('[3.7] are applied by the next agent when the server was away and this one was killed', async () => {
    const apply = await agent();
    await apply();
    fault = (command) => {
      if (command[2] === 'nfs4') throw new Error('away');
    };
    await expect(apply('actimeo=3')).rejects.toMatchObject({ code: 'mount-failed' });
    fault = () => undefined;
    const next = await agent();
    await next('actimeo=3');
    expect(layers()).toHaveLength(2);
    expect(given().at(-1)).toContain('actimeo=3');
  });

  it('[3.7] come back when a hand has taken them away: no set-uid file of a customer works for long', async () => {
    const apply = await agent();
    await apply();
    run('mount', '-o', 'remount,bind,suid,dev', point);
    await apply();
    expect(flags()).toBe('noatime,nodev,nosuid,rw');
    await apply('suid');
    expect(flags()).toBe('noatime,nodev,rw');
  });

  it('[3.7] that the kernel does not take are told, and not tried again and again one over the other', async () => {
    const apply = await agent();
    await apply();
    for (const _ of [1, 2, 3])
      await expect(apply('sec=krb5p')).rejects.toMatchObject({
        message: expect.stringContaining('sec=krb5p: there is mount nfs4'),
      });
    expect(layers()).toHaveLength(2);
  });
});
