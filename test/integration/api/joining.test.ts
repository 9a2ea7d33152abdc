/** Joining through the API and the CLI: what an operator sees, does, and is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as pathOf } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { join, ownKey } from '../../../agent/identity.ts';
import { exits } from '../../../cli/exit-codes.ts';
import { readable } from '../../../common/fingerprint.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';
import { problemOf } from '../../support/problem.ts';
import { runCli } from '../../support/sandbox.ts';
import { until } from '../../support/until.ts';

let api: TestApi;
let folder: string;
beforeEach(async () => {
  api = await startTestApi({ failuresPerMinute: 1000 });
  folder = mkdtempSync(pathOf(tmpdir(), 'evenkeel-joining-'));
  writeFileSync(pathOf(folder, 'ca.crt'), api.pki.bundle());
});
afterEach(async () => {
  await api.stop();
  rmSync(folder, { recursive: true, force: true });
});

const cli = (...args: string[]) =>
  runCli(['--api', api.url, '--ca', pathOf(folder, 'ca.crt'), '--token', api.tokens.admin, ...args]);
const invite = async (body: object = {}) =>
  (await api.ask('POST', '/api/v1/invites', { roles: ['web'], ...body })).json();
const box = (name: string) => pathOf(folder, name, 'identity');
const facts = {
  ...{ hostname: 'box7', os: 'Debian 12', arch: 'x64', agent: '0.1.0', protocol: 1, address: '192.0.2.11' },
  paths: { state: '/srv/state', run: '/srv/run', log: '/srv/log' },
};
/** No two boxes have one address. */
const factsOf = (name: string) => ({ ...facts, address: `192.0.2.1${name.at(-1)}` });
/** The string is for the port that the test has chosen. */
const joinAs = (name: string, string: string, at = box(name)) => {
  const parts = JSON.parse(Buffer.from(string, 'base64url').toString()) as object;
  const here = Buffer.from(JSON.stringify({ ...parts, port: api.api.port() })).toString('base64url');
  return join(here, { name, facts: factsOf(name), folder: at });
};
const eventsOf = async (type: string) => (await api.ask('GET', `/api/v1/events?type=${type}`)).json().items;

it('[4.4] a range that is none is refused with field, value and fix', async () => {
  for (const from of ['10.0.0.0', '10.0.0.0/33', '2001:db8::/129', 'everywhere']) {
    const answer = problemOf(await api.ask('POST', '/api/v1/invites', { roles: [], from }));
    expect(answer).toMatchObject({
      ...{ status: 400, code: 'bad-request' },
      problems: [{ path: 'from', value: JSON.stringify(from), fix: expect.stringContaining('10.0.0.0/8') }],
    });
  }
  for (const from of ['10.0.0.0/8', '2001:db8::/32', '::1/128', '0.0.0.0/0'])
    expect((await api.ask('POST', '/api/v1/invites', { roles: [], from })).statusCode).toBe(200);
});

it('[4.4] a stolen join string is an event with the address and without the secret, the first at once and a flood as one', async () => {
  const { join: string, id } = await invite();
  await joinAs('web1', string);
  const tries = Array.from({ length: 50 }, () => joinAs('web2', string, box('thief')));
  for (const tried of await Promise.allSettled(tries)) expect(tried.status).toBe('rejected');
  await until('it is told', async () => (await eventsOf('join.refused')).length > 0);
  const events = await eventsOf('join.refused');
  expect(events).toHaveLength(1);
  expect(events).toMatchObject([{ severity: 'warning', data: { door: 'join', who: '127.0.0.1' } }]);
  expect(events[0].message).toMatch(/another box has used this join string.*127\.0\.0\.1/);
  const { secret } = JSON.parse(Buffer.from(string, 'base64url').toString()) as { secret: string };
  const listed = JSON.stringify([await eventsOf('join'), (await api.ask('GET', '/api/v1/invites')).json()]);
  expect(listed).toContain(id);
  expect(listed).not.toContain(secret.split('.')[1]);
  const { body } = await api.ask('GET', '/metrics');
  expect(body).toContain('evenkeel_refused{door="join"} 50');
});

it('[4.4] the CLI makes, lists and takes back invitations, with the fingerprint that the box shows', async () => {
  const made = await cli('node', 'invite', '--role', 'web', '--name', 'web1', '--from', '127.0.0.0/8');
  expect(made.stdout).toContain(readable(api.pki.fingerprint()));
  const listed = await cli('node', 'invites');
  expect(listed.stdout).toMatch(/open +token:admin +web +web1 +127\.0\.0\.0\/8/);
  const { items } = (await api.ask('GET', '/api/v1/invites')).json();
  const gone = await cli('node', 'uninvite', items[0].id);
  expect(gone).toMatchObject({ code: 0, stdout: expect.stringContaining('taken back') });
  expect((await cli('node', 'invites')).stdout).toContain('revoked');
  const [, string = ''] = /join (\S+)/.exec(made.stdout) ?? [];
  await expect(joinAs('web1', string)).rejects.toMatchObject({ code: 'invite-invalid' });
  expect(await cli('node', 'uninvite', 'nothing')).toMatchObject({ code: exits.notFound.code });
  expect((await cli('node', 'invite', '--from', 'home')).stderr).toContain('10.0.0.0/8');
});

it('[4.4] the CLI shows who waits with fingerprint and facts, accepts, and refuses', async () => {
  const { join: string } = await invite({ approve: true });
  await expect(joinAs('web1', string)).rejects.toMatchObject({ code: 'join-waiting' });
  const { stdout } = await cli('node', 'waiting');
  const key = await ownKey(box('web1'));
  for (const word of [
    'web1 asks to join',
    readable(key),
    '127.0.0.1',
    'box7',
    'Debian 12',
    'node accept web1',
  ])
    expect(stdout).toContain(word);
  expect(await cli('node', 'accept', 'web1')).toMatchObject({ code: 0 });
  await joinAs('web1', string);
  expect((await cli('node', 'waiting')).stdout).toBe('no box waits\n');
  const { join: second } = await invite({ approve: true });
  await expect(joinAs('web2', second)).rejects.toMatchObject({ code: 'join-waiting' });
  expect(await cli('node', 'refuse', 'web2')).toMatchObject({ code: 0 });
  await expect(joinAs('web2', second)).rejects.toMatchObject({ code: 'join-refused' });
  expect(await cli('node', 'accept', 'web2')).toMatchObject({ code: exits.notFound.code });
});

it('[4.4] the CLI trusts another key by its fingerprint alone, and asks nobody where nobody sits', async () => {
  await joinAs('web1', (await invite()).join);
  const old = await ownKey(pathOf(folder, 'unused')).catch(() => '');
  const { join: string } = await invite();
  await expect(joinAs('web1', string, box('again'))).rejects.toMatchObject({ code: 'identity-changed' });
  const key = await ownKey(box('again'));
  const asked = await cli('node', 'trust', 'web1');
  expect(asked).toMatchObject({ code: exits.usage.code });
  expect(asked.stderr).toContain(readable(key));
  expect(asked.stderr).toContain('known is');
  expect((await cli('node', 'trust', 'web1', '--yes')).code).toBe(exits.usage.code);
  const wrong = await cli('node', 'trust', 'web1', '--yes', '--fingerprint', readable(old));
  expect(wrong.code).toBe(exits.usage.code);
  const trusted = await cli('node', 'trust', 'web1', '--yes', '--fingerprint', readable(key));
  expect(trusted).toMatchObject({ code: 0, stdout: expect.stringContaining(readable(key)) });
  await joinAs('web1', string, box('again'));
  const journal = (await api.ask('GET', '/api/v1/journal?limit=2')).json().items;
  expect(journal.map(({ actor }: { actor: string }) => actor)).toContain('token:admin');
  expect(await cli('node', 'trust', 'web1')).toMatchObject({ code: exits.notFound.code });
});

it('[4.4] who waits may be seen by all; everything else of it is for admins', async () => {
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const { viewer, operator } = api.tokens;
  expect((await api.ask('GET', '/api/v1/joins', undefined, as(viewer))).statusCode).toBe(200);
  for (const [method, path] of [
    ['GET', 'invites'],
    ['DELETE', 'invites/x'],
    ['POST', 'joins/web1/accept'],
    ['POST', 'joins/web1/refuse'],
    ['POST', 'nodes/web1/trust'],
  ] as const)
    expect(
      (await api.ask(method, `/api/v1/${path}`, method === 'POST' ? {} : undefined, as(operator))).statusCode,
    ).toBe(403);
});
