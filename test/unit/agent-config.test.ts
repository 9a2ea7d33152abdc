/** The settings of a box: strict, with defaults, and every mistake told at once with its place. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readConfig, writeConfig } from '../../agent/config.ts';

let state: string;
const write = (content: unknown) =>
  writeFileSync(join(state, 'agent.json'), typeof content === 'string' ? content : JSON.stringify(content));
const own = () => ({
  address: '127.0.0.11',
  paths: { state, run: '/run/evenkeel', log: '/var/log/evenkeel' },
});

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'evenkeel-'));
});
afterEach(() => rmSync(state, { recursive: true }));

it('[2.5] what a join wrote is read back with the defaults, the daemons of this box among them', async () => {
  await writeConfig(state, own());
  const config = await readConfig(state);
  expect(config).toMatchObject({
    ...own(),
    service: 'direct',
    places: [],
    sweepSeconds: 60,
    contentsSeconds: 300,
  });
  expect(config.executables.nginx).toMatch(/^\/.*\/nginx$/);
  expect(statSync(join(state, 'agent.json')).mode & 0o777).toBe(0o600);
});

it('[5.1] root may refuse all actions; what they run is on the list of the box, as far as it is installed', async () => {
  write(own());
  const config = await readConfig(state);
  expect([config.actions, config.executables.tail, config.executables.df]).toEqual([
    true,
    expect.stringMatching(/^\/.*\/tail$/),
    expect.stringMatching(/^\/.*\/df$/),
  ]);
  write({ ...own(), actions: false, onlyListed: true });
  const strict = await readConfig(state);
  expect([strict.actions, strict.executables]).toEqual([false, {}]);
});

it('[2.5] a join keeps what root has set before', async () => {
  write({ places: ['/etc/exports.d'], executables: { 'my-check': '/opt/my-check' } });
  await writeConfig(state, own());
  const config = await readConfig(state);
  expect(config.places).toEqual(['/etc/exports.d']);
  expect(config.executables).toMatchObject({ 'my-check': '/opt/my-check' });
});

it('[4.8] a box without systemd is not told to use it, neither when it joins nor when its agent starts', async () => {
  const nowhere = join(state, 'nowhere');
  await expect(writeConfig(state, { ...own(), service: 'systemd' }, nowhere)).rejects.toMatchObject({
    code: 'invalid-document',
    problems: [{ path: 'service', message: expect.stringContaining('systemd does not run here') }],
  });
  expect(readdirSync(state)).toEqual([]);
  await writeConfig(state, { ...own(), service: 'systemd' }, state);
  expect((await readConfig(state, state)).service).toBe('systemd');
  await expect(readConfig(state, nowhere)).rejects.toMatchObject({ code: 'invalid-document' });
});

it('[4.8] what root has said of the services counts more than what a join asks for', async () => {
  write({ service: 'direct' });
  await writeConfig(state, { ...own(), service: 'systemd' }, state);
  expect((await readConfig(state, state)).service).toBe('direct');
});

it('[2.5] root can allow nothing but what is listed', async () => {
  write({ ...own(), onlyListed: true, executables: { nginx: '/opt/nginx' } });
  expect((await readConfig(state)).executables).toEqual({ nginx: '/opt/nginx' });
});

it('[5.1] root withholds single programs of the defaults, and what he lists himself counts', async () => {
  write({ ...own(), withheld: ['stat', 'true'], executables: { true: '/opt/true' } });
  const { executables } = await readConfig(state);
  expect([executables.stat, executables.true, typeof executables.mount]).toEqual([
    undefined,
    '/opt/true',
    'string',
  ]);
});

it('[2.5] every mistake is told at once, with its place', async () => {
  write({
    ...own(),
    places: ['relative'],
    sweepSeconds: 0,
    colour: 'red',
    executables: { nginx: '../nginx' },
  });
  await expect(readConfig(state)).rejects.toMatchObject({ code: 'invalid-document' });
  const problems = await readConfig(state).catch((err: { problems: { path: string }[] }) => err.problems);
  expect((problems as { path: string }[]).map(({ path }) => path).sort()).toEqual([
    'colour',
    'executables/nginx',
    'places/0',
    'sweepSeconds',
  ]);
});

it('[2.5] a file that is missing or no JSON is told by its name', async () => {
  await expect(readConfig(state)).rejects.toThrow(join(state, 'agent.json'));
  write('{"address":');
  await expect(readConfig(state)).rejects.toThrow(join(state, 'agent.json'));
  expect(readFileSync(join(state, 'agent.json'), 'utf8')).toBe('{"address":');
});
