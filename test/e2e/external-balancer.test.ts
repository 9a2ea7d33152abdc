/** The whole of an external balancer: a real manager and agents, a receiver of webhooks, and a HAProxy that is none of ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../integration/web-nodes.ts';
import { createReceiver, isGenuine, type Receiver } from '../support/receiver.ts';
import { getThrough } from '../support/sandbox.ts';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();
const LONG = 120_000;
const ALL = ['n1', 'n2', 'n3'];

let receiver: Receiver;
let theirs: ChildProcess;
let folder: string;
let healthPort: number;
let url: string;

/** As somebody wrote it who read docs/external-balancer.md. */
const configuration = (port: number) => `
defaults
  mode http
  timeout connect 1s
  timeout client 10s
  timeout server 10s
listen web
  bind 127.0.0.1:${port}
  balance roundrobin
  option httpchk GET /health/web
  default-server check port ${healthPort} inter 200ms fall 2 rise 2
${sandbox()
  .up()
  .nodes.map(({ name, address, http }) => `  server ${name} ${address}:${http}`)
  .join('\n')}
`;

beforeAll(async () => {
  const cluster = { kind: 'Cluster', name: 'cluster' } as const;
  const { spec } = await sandbox().client().call('get', { params: cluster });
  healthPort = (spec as { health: { port: number } }).health.port;
  receiver = await createReceiver();
  const external = { webhook: { url: receiver.url } };
  const documents = [{ ...cluster, spec: { ...(spec as object), balancer: 'external', external } }];
  // The director of the sandbox stops, and the guard wants to be told that this is meant.
  await sandbox()
    .client()
    .call('apply', { body: { documents, force: true } });
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-theirs-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  writeFileSync(join(folder, 'haproxy.cfg'), configuration(port));
  theirs = spawn('haproxy', ['-db', '-f', join(folder, 'haproxy.cfg')], { stdio: 'ignore' });
  await until(
    'their HAProxy serves',
    () =>
      serving().then(
        (names) => names.length === 3,
        () => false,
      ),
    20_000,
  );
  // The checks begin anew with the other balancer: until each has its verdict, what is said of members still changes.
  await until(
    'all are well',
    async () => {
      // Busy, for a moment: it has not heard all of them since the balancer is another one.
      const { status, body } = await members();
      return status === 200 && reasonsIn(body).every((one) => one === 'well');
    },
    20_000,
  );
}, LONG);
afterAll(async () => {
  await receiver.stop();
  theirs.kill('SIGKILL');
  if (theirs.exitCode === null && theirs.signalCode === null) await once(theirs, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

async function serving(): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 12 }, () => getThrough(url, 'example.org', '/')));
  return [...new Set(answers.filter(({ status }) => status === 200).map(({ node }) => node ?? ''))].sort();
}
const serve = (names: string[]) =>
  until(`${names} serve`, async () => (await serving()).join() === names.join(), 20_000);
const drain = (name: string) =>
  sandbox()
    .client()
    .call('drain', { params: { name }, body: { reason: 'a new disk' } });
const undrain = (name: string) => sandbox().client().call('undrain', { params: { name } });

const healthOf = (index: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const { address } = sandbox().up().nodes[index]!;
    getPlain(`http://${address}:${healthPort}/health/web`, { agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.once('end', () => resolve(`${response.statusCode} ${body.trim()}`));
    }).once('error', reject);
  });

/** The JSON as a script of theirs would get it. */
const members = (headers: Record<string, string> = {}) =>
  new Promise<{ status: number; etag: string; body: string }>((resolve, reject) => {
    const { api, token, ca } = sandbox().up();
    const options = {
      ca: readFileSync(sandbox().path(ca)),
      headers: { authorization: `Bearer ${token}`, ...headers },
    };
    const sent = request(`${api}/api/v1/pools/web/members`, options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      const { statusCode: status = 0, headers: had } = response;
      response.once('end', () => resolve({ status, etag: String(had.etag), body }));
    });
    sent.once('error', reject);
    sent.end();
  });
const statesOf = (body: string) =>
  (JSON.parse(body) as Receiver['taken'][number]['members']).members.map(({ state }) => state).join(' ');
const reasonsIn = (body: string) =>
  (JSON.parse(body) as Receiver['taken'][number]['members']).members.map(({ reasons }) => reasons.join());
const told = (states: string) =>
  until(
    `the webhook says ${states}`,
    () => statesOf(receiver.taken.at(-1)?.body ?? '{"members":[]}') === states,
  );

describe('[3.6] a balancer that somebody else runs', () => {
  it('follows a drain by the health URL, the JSON and the webhook, which agree', {
    timeout: LONG,
  }, async () => {
    await serve(ALL);
    await told('up up up');
    await drain('n2');
    await told('up drain up');
    await serve(['n1', 'n3']);
    expect([await healthOf(0), await healthOf(1)]).toEqual(['200 up', '503 draining']);
    const json = await members();
    expect(json).toMatchObject({ status: 200, body: receiver.taken.at(-1)?.body });
    expect(await members({ 'if-none-match': json.etag })).toMatchObject({ status: 304, body: '' });
    const { signingKey, webhook } = await sandbox().client().call('external');
    expect(webhook).toMatchObject({ url: receiver.url, failing: null });
    for (const one of receiver.taken) expect(isGenuine(one, signingKey, Date.now())).toBe(true);

    const pools = await sandbox().cli(['pools']);
    expect(pools.stdout).toMatch(/n2 +drain +100 +- +-/);
    await undrain('n2');
    await told('up up up');
    await serve(ALL);
    expect((await members({ 'if-none-match': json.etag })).status).toBe(200);
  });

  it('hears what is newest when its receiver is back, and nothing older', { timeout: LONG }, async () => {
    await told('up up up');
    await receiver.stop();
    const before = receiver.taken.length;
    await drain('n1');
    const waits = () =>
      sandbox()
        .client()
        .call('external')
        .then(({ webhook }) => webhook?.failing ?? null);
    await until('it fails', async () => (await waits()) !== null);
    await undrain('n1');
    await drain('n3');
    await until('the manager knows', async () => statesOf((await members()).body) === 'up up drain');
    await receiver.start();
    await told('up up drain');
    expect(receiver.taken.slice(before).map(({ body }) => statesOf(body))).toEqual(['up up drain']);
    await undrain('n3');
    await told('up up up');
  });

  it('says what does nothing there, when it is declared', { timeout: LONG }, async () => {
    const web = { kind: 'VirtualService', name: 'web' } as const;
    const said = await sandbox()
      .client()
      .callWarned('patch', { params: web, body: { spec: { persistence: { seconds: 60 } } } });
    expect(said.warnings.join()).toContain(
      'the balancer is external, so scheduler, persistence have no effect',
    );
    const url = 'http://balancer.example.org/';
    const refused = await sandbox().cli(
      ['apply', '-f', '-'],
      JSON.stringify({
        kind: 'Cluster',
        name: 'cluster',
        spec: { address: '127.0.0.1', external: { webhook: { url } } },
      }),
    );
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('an http URL of a loopback or private IPv4 address');
  });
});
