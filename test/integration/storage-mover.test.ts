/** The mover on a real disk with a real rsync: folders stand for what would be mounted, all else is as on a node. */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { type Beside, endOrphans } from '../../agent/storage/beside.ts';
import { createMover, type Mover } from '../../agent/storage/mover.ts';
import { systemClock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { ResourceOf } from '../../protocol/resource.ts';
import { type MovePhase, movePhases, type StorageMove } from '../../protocol/resources/storage.ts';
import { quiet } from '../support/courier.ts';
import { until } from '../support/until.ts';
import { declare } from '../unit/store/declared.ts';

type Body = Parameters<Parameters<typeof createMover>[0]['report']>[0];

let root: string;
let storages: ResourceOf<'Storage'>[];
let reports: Body[];
let mover: Mover;
let stop: () => Promise<void>;
/** What mounting does instead. */
let reachable: boolean;

const old = () => join(root, 'old');
const fresh = () => join(root, 'new');
const place = (path: string) => ({ server: '10.0.0.1', export: path });

/** A folder in the place of a mount: as there, it can only be taken away as a whole. */
const beside: Beside = {
  mount: async (from, folder) => {
    if (!reachable) throw new EvenkeelError('copy-failed', `${from.export} cannot be mounted: timed out`);
    mkdirSync(join(folder, '..'), { recursive: true });
    symlinkSync(from.export, folder);
  },
  unmount: async (folder) => rmSync(folder, { force: true }),
};

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'evenkeel-mover-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  for (const folder of [old(), fresh()]) mkdirSync(folder);
  reachable = true;
  storages = [];
  reports = [];
  start();
  onTestFinished(() => stop());
});

function start(): void {
  mover = createMover({
    ...{ node: 'web1', cluster: 'c1', folder: join(root, 'state'), clock: systemClock, log: quiet, beside },
    desired: { get: () => undefined, list: () => storages },
    run: createRun({ executables: createExecutables({ rsync: '/usr/bin/rsync' }), clock: systemClock }),
    report: (body) => reports.push(body),
  });
  stop = mover.start();
}

/** Declares the storage: in a phase of its move, or without one. */
function declared(phase: MovePhase | null, { id = 'm1', at = old(), by = 'web1' } = {}): void {
  const from = place(old());
  const to = place(fresh());
  const move: StorageMove | undefined =
    phase === null
      ? undefined
      : { id, phase, since: '2026-01-01T00:00:00Z', by, from, to, compareWithin: '30m' };
  storages = [declare('Storage', 'home', { ...place(at), mountpoint: at, ...(move ? { move } : {}) })];
  mover.look();
}
const heard = (what: string, is: (body: Body) => boolean) =>
  until(`the mover says ${what}`, () => reports.some(is), 20_000).then(
    () => reports.findLast(is) as Body,
    (err: Error) => {
      throw new Error(`${err.message}; it said ${JSON.stringify(reports.at(-1))}`);
    },
  );
const passed = () => heard('that a pass is through', ({ phase, pass }) => phase === 'copy' && pass >= 1);
const failed = () => heard('that it failed', ({ error }) => error !== undefined);
const fill = (folder: string, files: Record<string, string>) => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
};
const differences = (from: string, to: string) =>
  spawnSync('diff', ['-r', '--exclude=.evenkeel-move', from, to], { encoding: 'utf8' }).stdout;

describe('[3.7] the node that copies a storage', () => {
  it('copies, copies again what came and went meanwhile, and finds both sides the same', async () => {
    fill(old(), { 'a/index.html': 'a', 'b/index.html': 'b' });
    declared('copy');
    await passed();
    fill(old(), { 'a/new.html': 'new' });
    rmSync(join(old(), 'b'), { recursive: true });
    declared('freeze');
    declared('compare');
    const { identical, files, bytes } = await heard(
      'how it compared',
      ({ identical }) => identical !== undefined,
    );
    expect([identical, files, bytes]).toEqual([true, 4, 4]);
    expect(differences(old(), fresh())).toBe('');
    expect(readdirSync(fresh()).sort()).toEqual(['.evenkeel-move', 'a']);
  });

  it('takes along what was written again within the same second, at the same size', async () => {
    const page = join(old(), 'a/index.html');
    const at = (milliseconds: number) => new Date(1_700_000_000_000 + milliseconds);
    fill(old(), { 'a/index.html': 'first' });
    utimesSync(page, at(100), at(100));
    declared('copy');
    await passed();
    declared('freeze');
    fill(old(), { 'a/index.html': 'again' });
    utimesSync(page, at(900), at(900));
    declared('compare');
    const said = await heard(
      'how it compared',
      ({ phase, identical }) => phase === 'compare' && identical !== undefined,
    );
    expect(said.identical).toBe(true);
    expect(differences(old(), fresh())).toBe('');
  });

  it('sees one changed byte behind the same size and time', async () => {
    fill(old(), { 'a/index.html': 'aaaa' });
    declared('copy');
    await passed();
    // A server that keeps other bytes than it was given.
    const [is, lies] = [join(old(), 'a/index.html'), join(fresh(), 'a/index.html')];
    writeFileSync(lies, 'aaab');
    const { atime, mtime } = lstatSync(is);
    utimesSync(lies, atime, mtime);
    const time = new Date(Math.floor(mtime.getTime() / 1000) * 1000);
    for (const file of [is, lies]) utimesSync(file, time, time);
    declared('compare');
    const said = await heard(
      'that they differ',
      ({ phase, identical }) => phase === 'compare' && identical !== undefined,
    );
    // The last copy goes by size and time, as rsync does; reading both whole is what finds it.
    expect(said.identical).toBe(false);
    expect(said.error?.message).toContain('a/index.html');
  });

  it('touches nothing in a target that is not empty, unless an earlier try of the same storage left it', async () => {
    fill(old(), { a: 'a' });
    fill(fresh(), { theirs: 'x' });
    declared('copy');
    expect((await failed()).error).toMatchObject({ code: 'target-not-empty' });
    expect(readdirSync(fresh())).toEqual(['theirs']);
    rmSync(join(fresh(), 'theirs'));
    reports = [];
    declared('copy', { id: 'm2' });
    await passed();
    declared(null);
    await until('it has left', () => !existsSync(join(root, 'state/home')));
    expect(existsSync(join(fresh(), 'a'))).toBe(true);
    reports = [];
    declared('copy', { id: 'm3' });
    await passed();
    writeFileSync(join(fresh(), '.evenkeel-move'), 'c1 mail\n');
    reports = [];
    declared('copy', { id: 'm4' });
    expect((await failed()).error).toMatchObject({ code: 'target-not-empty' });
  });

  it('takes its mark away from where the storage has moved, and leaves the old side as it was', async () => {
    fill(old(), { a: 'a' });
    declared('copy');
    await passed();
    declared('switch', { at: fresh() });
    declared(null, { at: fresh() });
    await until('it has left', () => !existsSync(join(root, 'state/home')));
    expect(readdirSync(fresh())).toEqual(['a']);
    expect(readdirSync(old())).toEqual(['a']);
  });

  it.skipIf(process.getuid?.() !== 0)('says at once when the target is full, and that it is', async () => {
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', fresh()]);
    onTestFinished(() => void spawnSync('umount', [fresh()]));
    fill(old(), { big: 'x'.repeat(1024 * 1024) });
    declared('copy');
    expect((await failed()).error?.message).toContain('No space left on device');
  });

  it('tries again while a server does not answer', async () => {
    fill(old(), { a: 'a' });
    reachable = false;
    declared('copy');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(reports.filter(({ error }) => error)).toEqual([]);
    reachable = true;
    await passed();
  });

  it('goes on where it was after it was stopped in the middle', async () => {
    fill(old(), Object.fromEntries(Array.from({ length: 800 }, (_, at) => [`d${at % 50}/f${at}`, `${at}`])));
    declared('copy');
    await until('it copies', () => existsSync(join(fresh(), 'd1')));
    await stop();
    start();
    declared('copy');
    await passed();
    expect(differences(old(), fresh())).toBe('');
  });

  it('ends a copy that a killed agent has left behind, and nobody else', async () => {
    const target = join(root, 'state/home/target');
    const left = [`${target}/`, `${target}2/`].map((path) =>
      spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)', path], { argv0: 'rsync' }),
    );
    onTestFinished(() => {
      for (const child of left) child.kill('SIGKILL');
    });
    await until('both run', () =>
      left.every(({ pid }) => pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('rsync')),
    );
    endOrphans(target);
    await until('the one has ended', () => left[0]?.signalCode === 'SIGKILL');
    expect(left[1]?.signalCode).toBeNull();
  });

  it('stops at once in each phase when the move is taken back', async () => {
    fill(old(), Object.fromEntries(Array.from({ length: 600 }, (_, at) => [`d${at % 50}/f${at}`, `${at}`])));
    for (const phase of movePhases) {
      declared(phase, { id: phase });
      await until('it has begun', () => existsSync(join(root, 'state/home/move.json')));
      declared(null);
      await until('it has left', () => !existsSync(join(root, 'state/home')));
    }
    expect(readdirSync(old())).toHaveLength(50);
    // Whatever was copied, the mark was there before it.
    expect(readdirSync(fresh()).at(0) ?? '.evenkeel-move').toBe('.evenkeel-move');
  });

  it('says again how far it is to a manager that has forgotten it, and nothing of a move by another node', async () => {
    fill(old(), { a: 'a' });
    declared('copy');
    await passed();
    reports = [];
    mover.again();
    expect(reports).toMatchObject([{ storage: 'home', move: 'm1', pass: 1 }]);
    declared('copy', { id: 'm2', by: 'web2' });
    await until('it has left', () => !existsSync(join(root, 'state/home')));
    reports = [];
    mover.again();
    expect(reports).toEqual([]);
  });
});
