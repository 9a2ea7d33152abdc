/** `evenkeel local`: the program itself, at the door of an agent whose unit runs a real nginx, with no manager anywhere. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLocal, type Local } from '../../agent/wiring/local.ts';
import { exits } from '../../cli/exit-codes.ts';
import { systemClock } from '../../common/clock.ts';
import { LOCAL_SOCKET } from '../../protocol/local.ts';
import { quiet } from '../support/courier.ts';
import { type Home, NODE, siteOf, webHome } from '../support/home.ts';
import { runCli } from '../support/sandbox.ts';
import { until } from '../support/until.ts';

let home: Home;
let local: Local;
let close: () => Promise<void>;
/** What the manager would be told. */
let alarms: { code: string; active: boolean; message: string }[];

const open = async (): Promise<void> => {
  close = await local.start();
};

beforeEach(async () => {
  alarms = [];
  local = createLocal(() => ({
    identity: {
      ...{ node: NODE, address: '192.0.2.1', ports: { api: 8443 } },
      expires: () => new Date('2027-01-01T00:00:00Z'),
    },
    ...{ version: '1.2.3', paths: home.paths, desired: home.desired(), units: home.units() },
    checks: { current: () => [{ unit: 'web-nginx', check: 'http', state: 'down', detail: 'refused' }] },
    connected: () => false,
    departure: {
      preview: (units) => ({ goes: [], stays: [...units] }),
      leave: () => Promise.reject(new Error('no')),
    },
    report: (body) => {
      if (body.type === 'alarm') alarms.push(body);
    },
    ...{ clock: systemClock, log: quiet },
  }));
  home = await webHome({ parts: { rootHold: () => local.hold() } });
  await home.declare(await siteOf(home, 'a.example'));
  await home.settled();
  await open();
});
afterEach(async () => {
  await close();
  await home.end();
});

const evenkeel = (...words: string[]) => runCli(['local', '--run', home.paths.run, ...words]);

it('[4.7] root sees who the box is, that the manager is away, how each unit ended, and what runs', async () => {
  const { stdout } = await evenkeel('status');
  for (const text of [NODE, '192.0.2.1:8443', 'not reached', 'web-nginx', 'http is down: refused'])
    expect(stdout).toContain(text);
  expect((await evenkeel('services')).stdout).toContain(String(home.pid()));
  const json = await runCli(['-o', 'json', 'local', '--run', home.paths.run, 'services']);
  expect(JSON.parse(json.stdout)).toEqual([{ unit: 'web-nginx', service: 'nginx', pid: home.pid() }]);
});

it('[4.7] a hold of the box is heeded, outlives the agent, is told to the manager, and ends by release', async () => {
  await evenkeel('hold', '--reason', 'disk is swapped');
  expect(alarms.at(-1)).toMatchObject({
    code: 'on-hold',
    active: true,
    message: expect.stringContaining('disk is swapped'),
  });
  await home.declare(await siteOf(home, 'b.example'));
  expect(await home.settled()).toMatchObject({
    result: 'held',
    error: { code: 'on-hold', message: 'on hold by root of the box: disk is swapped' },
  });
  expect((await home.get('a.example')).body).toBe('a.example');
  await close();
  expect(existsSync(join(home.paths.run, LOCAL_SOCKET))).toBe(false);
  await open();
  expect((await evenkeel('status')).stdout).toContain('disk is swapped');
  await evenkeel('release');
  await until('what waited is served', async () => (await home.get('b.example')).body === 'b.example');
  expect(alarms.at(-1)).toMatchObject({ code: 'on-hold', active: false });
});

it('[4.7] a hold whose file is damaged still holds', async () => {
  await close();
  writeFileSync(join(home.paths.state, 'hold.json'), 'half');
  await open();
  expect(local.hold()?.reason).toContain('cannot be understood');
});

it('[4.7] a daemon is restarted by root, also on a box that is on hold, and it is no death', async () => {
  for (const before of ['follows', 'hold']) {
    if (before === 'hold') await evenkeel('hold', '--reason', 'test');
    const pid = home.pid();
    await evenkeel('restart', 'web-nginx');
    await until('another process serves', async () => {
      // Its pid file is away for a moment.
      const now = home.units().services()[0]?.pid ?? null;
      return now !== null && now !== pid && (await home.get('a.example')).body === 'a.example';
    });
  }
  await home.units().idle();
  expect(home.reports.filter((report) => 'restarted' in report)).toEqual([]);
  const unknown = await evenkeel('restart', 'mail');
  expect([unknown.code, unknown.stderr]).toEqual([
    exits.notFound.code,
    expect.stringContaining('no daemon of a unit mail'),
  ]);
});

it('[4.7] root sees the sites of the box, and why one is not served as it is declared', async () => {
  // nginx refuses a certificate that is not there.
  await home.declare(
    await siteOf(home, 'b.example', { tls: { certificate: '/gone.pem', key: '/gone.key' } }),
  );
  await home.settled();
  const { stdout } = await runCli(['-o', 'json', 'local', '--run', home.paths.run, 'sites']);
  const sites = JSON.parse(stdout) as { name: string; serves: string }[];
  expect(sites.map(({ name, serves }) => [name, serves])).toEqual([
    ['a.example', 'as-declared'],
    ['b.example', 'nothing'],
  ]);
  await evenkeel('hold', '--reason', 'look');
  await home.declare(await siteOf(home, 'c.example'));
  await home.settled();
  expect((await evenkeel('sites')).stdout).toMatch(/^c\.example .* not known +web-nginx: on hold/m);
  await evenkeel('release');
  await home.settled();
  expect((await evenkeel('sites')).stdout).toMatch(/^SITE .*\na\.example .* as declared/);
});

it('[4.7] root sees the packages that its roles need, and whether they are there', async () => {
  const { stdout } = await runCli(['-o', 'json', 'local', '--run', home.paths.run, 'packages']);
  expect(JSON.parse(stdout)).toContainEqual({ name: 'nginx', installed: true });
});

it('[4.7] whatever is not for a box to do is refused, and the manager is named', async () => {
  const { code, stderr } = await evenkeel('delete', 'site', 'a.example', '--force');
  expect(code).toBe(exits.usage.code);
  expect(stderr).toContain(`this is node ${NODE} of the cluster of 192.0.2.1`);
  expect(stderr).toContain('evenkeel --api https://192.0.2.1:8443 delete site a.example --force');
});

it('[4.7] only root may open the door, and where no agent runs it is said how to see why', async () => {
  expect(statSync(join(home.paths.run, LOCAL_SOCKET)).mode & 0o777).toBe(0o600);
  await close();
  const { code, stderr } = await evenkeel('status');
  expect([code, stderr]).toEqual([exits.usage.code, expect.stringContaining('no agent runs on this box')]);
  await open();
});

it('[2 bad input] the door answers nonsense with a code, and lives on', async () => {
  const socketPath = join(home.paths.run, LOCAL_SOCKET);
  const said = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect(socketPath, () => socket.write(text));
      let answer = '';
      socket.on('data', (part) => {
        answer += String(part);
      });
      socket.on('end', () => resolve(answer));
      socket.on('error', reject);
    });
  const post = (body: string) =>
    said(`POST /hold HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  expect(await post('{"reason": 7}')).toContain('bad-request');
  expect(await post('{')).toContain('no JSON');
  expect(await post(JSON.stringify({ reason: 'x'.repeat(20_000) }))).toContain('too long');
  expect(await said('GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n')).toContain('not-found');
  expect(local.hold()).toBeNull();
  expect(existsSync(join(home.paths.state, 'hold.json'))).toBe(false);
  expect((await evenkeel('status')).code).toBe(0);
  expect(readFileSync(join(home.paths.run, 'web-nginx.pid'), 'utf8').trim()).toBe(String(home.pid()));
});
