/** A box that leaves: what is cut off or fails on the way is gone on with, and nothing of the cluster is kept. */
import { existsSync, lstatSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig, writeConfig } from '../../agent/config.ts';
import { readLeft, writeLeft } from '../../agent/own/left.ts';
import { startOwn } from '../../agent/own.ts';
import { createTrees, type ManifestFile } from '../../agent/state/trees.ts';
import { sha256 } from '../../common/digest.ts';
import type { Running } from '../../common/lifecycle.ts';
import type { Left } from '../../protocol/local.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { quiet } from '../support/courier.ts';
import { until } from '../support/until.ts';

let root: string;
let state: string;
let clock: ManualClock;
let running: Running | undefined;
const left: Left = {
  ...{ node: 'web1', cluster: 'c', manager: { address: '127.0.0.1', port: 1 }, why: 'removed' },
  ...{ since: '2026-01-01T00:00:00Z', goes: ['balancer-vip'], done: false },
};

/** Units as a member leaves them behind: each with a tree that is active. */
async function unit(name: string): Promise<string> {
  const folder = join(state, 'units', name);
  await mkdir(folder, { recursive: true });
  const trees = createTrees({ folder });
  const text = `served by ${name}`;
  const file: ManifestFile = {
    path: 'main.conf',
    name: 'main.conf',
    live: false,
    key: '',
    hash: sha256(text),
    mode: 0o640,
  };
  const manifest = { unit: name, digest: sha256(name), files: [file] };
  await trees.stage(manifest, [{ ...file, text }]);
  await trees.activate(manifest.digest);
  return trees.place(file, manifest.digest);
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'evenkeel-own-'));
  state = join(root, 'state');
  clock = createManualClock();
  await mkdir(join(state, 'identity'), { recursive: true });
  for (const name of ['key.pem', 'cert.pem']) await writeFile(join(state, 'identity', name), name);
  for (const name of ['desired.log', 'desired.snapshot'])
    await writeFile(join(state, name), 'of the cluster');
  const paths = { state, run: join(root, 'run'), log: join(root, 'log') };
  await writeConfig(state, { address: '127.0.0.1', paths });
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  rmSync(root, { recursive: true, force: true });
});

const leave = async (how: Partial<Left> = {}) => {
  const now = { ...left, ...how };
  await writeLeft(state, now);
  const config = await readConfig(state);
  running = await startOwn({ config, left: now, joined: () => undefined, clock, log: quiet });
};
const isDone = async () => (await readLeft(state))?.done === true;
const kept = () => readdirSync(state).filter((name) => /^(identity|desired)/.test(name));

it("[4.5] what is the cluster's goes with its trees, what stays becomes plain files, and no key or declaration is kept", async () => {
  await unit('balancer-vip');
  await unit('web-nginx');
  await leave();
  await until('it has left', isDone);
  expect(existsSync(join(state, 'units', 'balancer-vip'))).toBe(false);
  const web = join(state, 'units', 'web-nginx');
  expect(readlinkSync(join(web, 'current'))).toBe('plain');
  const file = lstatSync(join(web, 'plain', 'main.conf'));
  expect([file.isFile(), file.mode & 0o777]).toEqual([true, 0o640]);
  await until('nothing is kept', () => kept().length === 0);
});

it('[4.5] a unit whose files cannot be made plain keeps no address: the others go, and it is tried until it can', async () => {
  await unit('balancer-vip');
  const place = await unit('web-nginx');
  await rename(place, `${place}.away`);
  await leave();
  await until('the address is given back', () => !existsSync(join(state, 'units', 'balancer-vip')));
  expect([await isDone(), existsSync(join(state, 'identity', 'key.pem'))]).toEqual([false, true]);
  await rename(`${place}.away`, place);
  await until('it has left', async () => {
    await clock.advance(5_000);
    return isDone();
  });
});

it('[4.5] killed after it was written that all is done, the next start deletes what is still there of the cluster', async () => {
  await rename(join(state, 'identity'), join(state, 'identity.left'));
  await leave({ done: true });
  await until('nothing is kept', () => kept().length === 0);
});

it('[4.5] the identity of a cluster that was joined meanwhile is never taken for the former one', async () => {
  await mkdir(join(state, 'identity.left'));
  await leave();
  await until('it has left', isDone);
  await until('the former is gone', () => !kept().includes('identity.left'));
  expect(existsSync(join(state, 'identity', 'cert.pem'))).toBe(true);
  await rm(join(state, 'identity'), { recursive: true });
});
