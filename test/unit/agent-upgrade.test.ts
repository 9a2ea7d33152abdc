/** The agent's own upgrade: what it refuses, what it fetches, and what it tells of how it ended. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createUpgrade, type UpgradeOptions, type UpgradeTools } from '../../agent/upgrade/upgrade.ts';
import { systemClock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { quiet } from '../support/courier.ts';
import { until } from '../support/until.ts';

const [OLD, NEW] = ['1.0.0-aaaaaaaaaaaa-agent', '1.1.0-bbbbbbbbbbbb-agent'];
const SUM = 'c'.repeat(64);

let root: string;
let did: string[];
let alarms: { subject: string; active: boolean; message: string }[];
let installing: boolean;
let beginning: boolean;
let tools: UpgradeTools;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'evenkeel-upgrade-'));
  mkdirSync(join(root, 'releases', OLD), { recursive: true });
  [did, alarms, installing, beginning] = [[], [], false, true];
  tools = {
    fetch: async (file, sum) => {
      did.push(`fetch ${sum.slice(0, 4)}`);
      writeFileSync(file, 'bundle');
    },
    unpack: async (_, folder) => void did.push(`unpack to ${folder.slice(root.length)}`),
    install: async (folder) => void did.push(`install ${folder.slice(root.length)}`),
    installing: async () => installing,
    said: async () => 'the agent does not come up',
  };
});
afterEach(() => rm(root, { recursive: true, force: true }));

const upgrade = (runs = OLD, more: Partial<UpgradeOptions> = {}) =>
  createUpgrade({
    own: { id: runs, folder: join(root, 'releases', runs) },
    ...{ allowed: true, folder: join(root, 'state'), tools, clock: systemClock, log: quiet },
    report: (body) => {
      // What ends an earlier alarm is told at each begin.
      if (body.type === 'alarm' && (body.active || !beginning)) alarms.push(body);
    },
    ...more,
  });
const kept = () => readdirSync(join(root, 'state'));

it('[4.6] fetches what the manager names, verified by its sum, and has its installer run', async () => {
  await upgrade().begin({ id: NEW, sum: SUM });
  await until('it was begun', () => did.length === 3);
  expect(did).toEqual(['fetch cccc', 'unpack to /state/release', 'install /state/release']);
});

it('[4.6] a release that the box has still is not fetched; one that it has not, and nobody gives, is refused', async () => {
  mkdirSync(join(root, 'releases', NEW));
  writeFileSync(join(root, 'releases', NEW, 'SHA256SUMS'), '');
  await upgrade().begin({ id: NEW });
  await until('it was begun', () => did.length === 1);
  expect(did).toEqual([`install /releases/${NEW}`]);
  await upgrade().begin({ id: '0.9.0-dddddddddddd-agent' });
  await until('it failed', () => alarms.length > 0);
  expect(alarms.at(-1)?.message).toContain('there is no release 0.9.0-dddddddddddd-agent on this box');
});

it('[4.6] is refused where root keeps its release, from a checkout, for what runs already, and while one is under way', async () => {
  const refusal = (one: ReturnType<typeof upgrade>, id = NEW) =>
    one.begin({ id, sum: SUM }).catch((err: Error) => err.message);
  expect(await refusal(upgrade(OLD, { allowed: false }))).toMatch(/root of this box/);
  expect(await refusal(upgrade(OLD, { own: undefined }))).toMatch(/checkout/);
  expect(await refusal(upgrade(), OLD.replace('-agent', ''))).toMatch(/runs here already/);
  installing = true;
  expect(await refusal(upgrade())).toMatch(/under way/);
  expect(did).toEqual([]);
});

it('[4.6] a bundle with another sum is not installed, and the manager is told', async () => {
  tools.fetch = () => Promise.reject(new EvenkeelError('signature-invalid', 'the bundle has the sum d'));
  await upgrade().begin({ id: NEW, sum: SUM });
  await until('it failed', () => alarms.length > 0);
  expect(alarms).toMatchObject([
    { subject: 'agent', active: true, message: `${NEW}: the bundle has the sum d` },
  ]);
  expect(did).toEqual([]);
});

it('[4.6] the agent of the new release ends the alarm, that of the old one says that it went back and why', async () => {
  await upgrade().begin({ id: NEW, sum: SUM });
  await until('it was begun', () => did.length === 3);
  beginning = false;
  upgrade(NEW).connected();
  await until('it is told', () => alarms.length === 1);
  expect(alarms).toMatchObject([{ subject: 'agent', active: false }]);
  beginning = true;
  // It is told first, and tidied up then.
  await until('nothing is kept', () => kept().length === 0);
  await upgrade().begin({ id: NEW, sum: SUM });
  await until('it was begun', () => did.length === 6);
  upgrade(OLD).connected();
  await until('it is told', () => alarms.length === 2);
  expect(alarms[1]).toMatchObject({
    subject: 'agent',
    active: true,
    message: expect.stringContaining('the agent does not come up'),
  });
  // It is told first, and tidied up then.
  await until('nothing is kept', () => kept().length === 0);
});

it('[4.6] while the installer is at work nothing is told, by whichever agent', async () => {
  await upgrade().begin({ id: NEW, sum: SUM });
  await until('it was begun', () => did.length === 3);
  installing = true;
  upgrade(OLD).connected();
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([alarms, kept()]).toEqual([[], expect.arrayContaining(['wanted.json'])]);
});

it('[4.6] a check says whether it would be begun, and begins nothing', async () => {
  await upgrade().check({ id: NEW, sum: SUM });
  await expect(upgrade(OLD, { allowed: false }).check({ id: NEW, sum: SUM })).rejects.toThrow(
    'root of this box keeps its release',
  );
  expect([did, readdirSync(root)]).toEqual([[], ['releases']]);
});
