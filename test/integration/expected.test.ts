/** What policies expect on the box: a document root that is not there is told, and holds nothing back. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ReportBody } from '../../agent/link/outbox.ts';
import { createMissingDirectories } from '../../agent/probe/directories.ts';
import type { Desired } from '../../agent/state/desired.ts';
import { createExpected, type Expected } from '../../agent/wiring/expected.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import type { Resource, ResourceOf } from '../../protocol/resource.ts';
import { newFolder } from '../support/home.ts';
import { until } from '../support/until.ts';
import { declared, shipped } from '../unit/render/declared.ts';

let folder: string;
let resources: Resource[];
let reports: ReportBody[];
let expected: Expected;
let stop: () => Promise<void>;

beforeEach(async () => {
  folder = newFolder();
  reports = [];
  const policy = (await shipped()).find('Policy', 'web-nginx');
  resources = [policy, declared('Node', 'n1', { roles: ['web'], address: '127.0.0.11' })];
  const desired = {
    get: (kind: string, name: string) => resources.find((one) => one.kind === kind && one.name === name),
    list: (kind: string) => resources.filter((one) => one.kind === kind),
  } as unknown as Desired;
  const log = createLog('test', 'silent');
  const missing = createMissingDirectories();
  const report = (body: ReportBody) => void reports.push(body);
  expected = createExpected({ node: 'n1', desired, missing, report, clock: systemClock, log });
  stop = expected.start();
});
afterEach(async () => {
  await stop();
  rmSync(folder, { recursive: true });
});

const site = (name: string) => declared('Site', name, { root: join(folder, name) });
const declare = (...names: string[]) => {
  resources.push(...names.map(site));
  expected.look();
};
const told = () => reports.flatMap((one) => (one.type === 'alarm' ? [[one.active, one.message]] : []));
const MISSING = 'there is no such directory: ';

it('[2 bad input] a document root that does not exist is told with its site, and taken back when it is there', async () => {
  mkdirSync(join(folder, 'a.example'));
  mkdirSync(join(folder, 'elsewhere'));
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'link.example'));
  writeFileSync(join(folder, 'file.example'), '');
  declare('a.example', 'b.example', 'link.example', 'file.example');
  const message = `${MISSING}Site/b.example: ${folder}/b.example; Site/file.example: ${folder}/file.example`;
  await until('it is told', () => told().length > 0);
  expect(told()).toEqual([[true, message]]);
  expected.look();
  expected.again();
  expect(told()).toEqual([
    [true, message],
    [true, message],
  ]);
  mkdirSync(join(folder, 'b.example'));
  rmSync(join(folder, 'file.example'));
  mkdirSync(join(folder, 'file.example'));
  expected.look();
  await until('it is taken back', () => told().length === 3);
  expect(told()[2]?.[0]).toBe(false);
});

it('[2 bad input] many that are missing are one alarm that says how many', async () => {
  declare(...Array.from({ length: 2500 }, (_, at) => `s${at}.example`));
  await until('it is told', () => told().length > 0);
  expect(told()).toHaveLength(1);
  expect(told()[0]?.[1]).toMatch(/^there is no such directory: Site\/s0\.example: .*; and 2497 more$/);
});

it('[2 bad input] where nobody can look, nothing is told', async () => {
  const missing = createMissingDirectories(['/no/such/find']);
  expect(await missing([folder])).toBeNull();
});

it('[2 bad input] directories that are there are never told as missing, however many others are complained about', async () => {
  const long = 'a-customer-with-a-name-that-is-long-enough';
  const paths = Array.from({ length: 1000 }, (_, at) => join(folder, `${long}-${at}`, 'public_html'));
  const absent = paths.filter((_, at) => at % 10 === 3);
  for (const path of paths) if (!absent.includes(path)) mkdirSync(path, { recursive: true });
  const missing = createMissingDirectories();
  for (let turn = 0; turn < 10; turn += 1) expect(await missing(paths)).toEqual(absent);
});

it('[2 bad input] a line of a path is no path', async () => {
  mkdirSync(join(folder, `x\n${folder}/gone`), { recursive: true });
  const missing = createMissingDirectories();
  const gone = `${folder}/gone`;
  expect(await missing([`${folder}/x\n${gone}`, gone])).toEqual([gone]);
});

it('[2 bad input] of a look that was cut off nothing is told', async () => {
  const find = join(folder, 'find');
  writeFileSync(find, '#!/bin/sh\nkill -9 $$\n', { mode: 0o755 });
  expect(await createMissingDirectories([find])([folder])).toBeNull();
});

it('[2 bad input] of two directories of one item each is told', async () => {
  const policy = resources[0] as ResourceOf<'Policy'>;
  const [first] = policy.spec.expects ?? [];
  const second = { ...first!, directory: 'log' };
  resources[0] = { ...policy, spec: { ...policy.spec, expects: [first!, second] } };
  mkdirSync(join(folder, 'log'));
  const item = site('a.example');
  resources.push({ ...item, spec: { ...item.spec, log: join(folder, 'log') } } as unknown as Resource);
  expected.look();
  await until('it is told', () => told().length > 0);
  expect(told()[0]?.[1]).toBe(`${MISSING}Site/a.example: ${folder}/a.example`);
});
