/** What storage asks of a kernel, and how it is taken back when a name server is silent or something is in the way. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { createKernel, type Kernel } from '../../agent/kernel/kernel.ts';
import { type Line, parseLines } from '../../agent/kernel/lines.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import type { Resource } from '../../protocol/resource.ts';
import { openHome } from '../support/home.ts';
import { until } from '../support/until.ts';
import { declared } from '../unit/render/declared.ts';
import { addresses, bringUp, run } from './network.ts';

const ETAB = '/var/lib/nfs/etab';
let folder: string;
let kernel: Kernel;
let release: () => void = () => undefined;

beforeAll(() => {
  bringUp();
  run('mount', '-t', 'tmpfs', 'tmpfs', '/var/lib/nfs');
  writeFileSync(ETAB, '');
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernel-'));
  const clock = systemClock;
  const executables = createExecutables({
    exportfs: '/usr/sbin/exportfs',
    ip: '/usr/sbin/ip',
    stat: '/usr/bin/stat',
  });
  const allowed = { sysctls: [], modules: [], devices: ['*'], folders: ['*'] };
  const log = createLog('agent', 'silent');
  kernel = createKernel({
    folder,
    aside: join(folder, 'mounts'),
    allowed,
    run: createRun({ executables, clock }),
    clock,
    log,
    isRoot: true,
  });
});
afterEach(() => {
  release();
  rmSync(folder, { recursive: true });
});

function linesOf(...text: string[]): Line[] {
  const { lines, problems } = parseLines(text.join('\n'));
  expect(problems).toEqual([]);
  return lines;
}

it('[3.7] an export is taken back at once where no name server answers', async () => {
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 10.0.0.53\n');
  run('mount', '--bind', join(folder, 'resolv.conf'), '/etc/resolv.conf');
  const clients = ['10.0.0.12', '10.0.0.13', '10.0.0.14'];
  try {
    await kernel.apply('a', linesOf(...clients.map((client) => `export ${folder} ${client} rw,fsid=7`)));
    expect(readFileSync(ETAB, 'utf8').match(/^\S+\t10\.0\.0\.1[234]\/32\(rw,/gm)).toHaveLength(3);
    await kernel.apply('a', linesOf(`export ${folder} 10.0.0.13 rw,fsid=7`));
    expect(readFileSync(ETAB, 'utf8').match(/^\S+\t[^(]*/gm)).toEqual([`${folder}\t10.0.0.13/32`]);
    await kernel.apply('a', []);
    expect(readFileSync(ETAB, 'utf8')).toBe('');
  } finally {
    run('umount', '/etc/resolv.conf');
  }
});

/** A folder that takes no change while it is held: a link in it cannot be undone. */
function hold(place: string): () => void {
  run('mount', '--bind', place, place);
  run('mount', '-o', 'remount,bind,ro', place);
  return () => {
    release = () => undefined;
    run('umount', place);
  };
}

const lines = (...text: string[]) =>
  declared('Template', 'storage/links.hbs', { syntax: 'kernel', text: `${text.join('\n')}\n` });

function unitOf(name: string, node: Resource): Resource[] {
  const files = [{ template: 'storage/links.hbs', path: 'links.kernel' }];
  const policy = declared('Policy', name, { role: 'web', files, kernel: 'links.kernel' });
  return [declared('Cluster', 'cluster', { address: '127.0.0.1' }), node, policy];
}

it('[3.7] what cannot be undone keeps nothing else from being undone, is told, and is tried again', async () => {
  const place = join(folder, 'place');
  mkdirSync(place);
  await kernel.apply('a', linesOf('address 192.0.2.60/32 dev lo', `symlink ${place}/home ${folder}`));
  release = hold(place);
  await expect(kernel.apply('a', linesOf('address 192.0.2.61/32 dev lo'))).rejects.toMatchObject({
    code: 'undo-failed',
    message: expect.stringContaining(`symlink ${place}/home`),
  });
  expect(addresses('lo')).toContain('192.0.2.61/32');
  expect(addresses('lo')).not.toContain('192.0.2.60/32');
  release();
  await kernel.apply('a', []);
  expect(existsSync(join(place, 'home'))).toBe(false);
  expect(addresses('lo')).not.toContain('192.0.2.61/32');
});

it('[3.7] a policy that is gone and whose lines cannot be undone is told, and told as gone in the end', async () => {
  const unit = 'links';
  const place = join(folder, 'place');
  mkdirSync(place);
  const home = await openHome({ parts: { kernel } });
  try {
    await home.declare(
      ...unitOf(unit, home.node({ parameters: {} })),
      lines(`symlink ${place}/home ${folder}`),
    );
    await home.settled(unit);
    release = hold(place);
    await home.remove({ kind: 'Policy', name: unit });
    const last = () => home.unitReports(unit).at(-1);
    await until('it is told', async () => last()?.error?.code === 'undo-failed', 10_000);
    expect(last()).toMatchObject({ result: 'held', step: 'reload' });
    release();
    await until('the link is gone', async () => !existsSync(join(place, 'home')), 15_000);
    await until('it is told', async () => last()?.result === 'changed' && !last()?.error, 5_000);
  } finally {
    await home.end();
    release();
    await kernel.apply(unit, []);
  }
});

it('[3.7] what cannot be undone is no reason to go back to an older tree: the new one stands and it is tried again', async () => {
  const unit = 'links';
  const place = join(folder, 'place');
  mkdirSync(place);
  const home = await openHome({ parts: { kernel } });
  try {
    await home.declare(
      ...unitOf(unit, home.node({ parameters: {} })),
      lines(`symlink ${place}/home ${folder}`),
    );
    await home.settled(unit);
    expect(existsSync(join(place, 'home'))).toBe(true);
    release = hold(place);
    await home.declare(lines('address 192.0.2.62/32 dev lo'));
    const last = () => home.unitReports(unit).at(-1);
    await until('it is told', async () => last()?.error?.code === 'undo-failed', 10_000);
    // All that it asks for is there: a node that is served from is no worse for what is there too much.
    expect(last()).toMatchObject({ result: 'held', held: [] });
    expect(home.units().state()).toMatchObject([{ unit, ok: true }]);
    expect(addresses('lo')).toContain('192.0.2.62/32');
    release();
    await until('the link is gone', async () => !existsSync(join(place, 'home')), 15_000);
    await until('all is well', async () => last()?.result === 'changed', 5_000);
  } finally {
    await home.end();
    release();
    await kernel.apply(unit, []);
  }
});
