/** A balancer that somebody else runs: what its webhook is sent, by real pools to a real receiver. */
import { rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { createObserved, type Observed } from '../../manager/health/observed.ts';
import { createPki, initPki, type Pki } from '../../manager/pki/pki.ts';
import { createPools, firstNumberOf } from '../../manager/pool/pools.ts';
import { createExternal, type External } from '../../manager/wiring/external.ts';
import type { EventLine } from '../../protocol/views.ts';
import { createManualClock } from '../support/clock.ts';
import { newFolder } from '../support/home.ts';
import { createReceiver, isGenuine, type Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { declared } from '../unit/render/declared.ts';

type Node = ReturnType<typeof nodeOf>;
const log = createLog('test', 'silent');
const nodeOf = (name: string, spec: object = {}) =>
  declared('Node', name, { roles: ['web'], address: `127.0.0.1${name.slice(1)}`, ...spec });
const serviceOf = (name: string) =>
  declared('VirtualService', name, { vip: '192.0.2.10', ports: [80], pool: { role: 'web', check: 'http' } });
const policy = declared('Policy', 'web-nginx', {
  role: 'web',
  files: [{ template: 'a.hbs', path: 'a' }],
  checks: [{ name: 'http', type: 'tcp', port: '80' }],
});

let folder: string;
let receiver: Receiver;
let pki: Pki;
let nodes: Node[];
let services: ReturnType<typeof serviceOf>[];
let webhook: { url: string; ca?: string } | undefined;
let observed: Observed;
let pools: ReturnType<typeof createPools>;
let external: External;
let events: Omit<EventLine, 'id' | 'at'>[];
let held: boolean;
let undo: (() => Promise<void> | void)[];

beforeEach(async () => {
  folder = newFolder();
  receiver = await createReceiver();
  webhook = { url: receiver.url };
  nodes = ['n1', 'n2', 'n3'].map((name) => nodeOf(name));
  services = [serviceOf('web')];
  events = [];
  held = false;
  await initPki({ folder: join(folder, 'pki'), clock: systemClock });
  pki = await createPki({ folder: join(folder, 'pki'), address: '127.0.0.1', clock: systemClock, log });
  undo = [];
});
afterEach(async () => {
  for (const act of undo.reverse()) await act();
  await receiver.stop();
  rmSync(folder, { recursive: true });
});

const clusterNow = () =>
  declared('Cluster', 'cluster', {
    ...{ address: '127.0.0.1', balancer: 'external' },
    ...(webhook ? { external: { webhook } } : {}),
  });
let count = 0;
const base = () => ({ id: `r${++count}`, session: 's', at: new Date().toISOString() });
const check = (node: string, state: 'up' | 'down') =>
  observed.report(node, {
    ...base(),
    ...{ type: 'check', unit: 'web-nginx', check: 'http', state, detail: 'the disk is full' },
  });

function start(clock = systemClock) {
  observed = createObserved({ clock, emit: () => undefined, headsOf: () => [] });
  pools = createPools({
    ...{ cluster: 'c-1', epoch: () => 3, firstNumber: firstNumberOf(1), observed, clock, log },
    world: {
      virtualServices: () => services,
      nodes: () => nodes,
      policies: () => [policy],
      cluster: clusterNow,
    },
    sign: pki.seal,
    publish: async () => undefined,
    clear: async () => undefined,
    hint: () => undefined,
    emit: () => undefined,
  });
  const view = () => ({
    VirtualService: new Map(services.map((service) => [service.name, service])),
    Cluster: new Map([['cluster', clusterNow()]]),
  });
  external = createExternal({
    store: { view: view as never },
    ...{ pools, pki, clock, log },
    held: () => held,
    emit: (happening) => void events.push(happening),
  });
  for (const { name } of nodes)
    observed.status(name, { session: 's', state: 'online', version: '1', protocol: 1, scopes: {} });
  for (const { name } of nodes) check(name, 'up');
  undo.push(pools.start(), external.start());
}

const drain = (name: string, more: object = {}) => {
  const said = { reason: 'new disk', owner: 'ann', ...more };
  nodes = nodes.map((node) => (node.name === name ? nodeOf(name, { drain: said }) : node));
  pools.touch();
};
const undrain = (name: string) => {
  nodes = nodes.map((node) => (node.name === name ? nodeOf(name) : node));
  pools.touch();
};
const statesIn = ({ members }: Receiver['taken'][number]) =>
  members.members.map(({ node, state, weight }) => `${node} ${state} ${weight}`).join(', ');
const ALL = 'n1 up 100, n2 up 100, n3 up 100';
const taken = (wanted: string) =>
  until(wanted, () => receiver.taken.length > 0 && statesIn(receiver.taken.at(-1)!) === wanted);

describe('[3.6] the webhook of an external balancer', () => {
  it('is told of a drain and of a failure at once, signed and numbered', async () => {
    start();
    await taken(ALL);
    drain('n2');
    await taken('n1 up 100, n2 drain 0, n3 up 100');
    check('n3', 'down');
    await taken('n1 up 100, n2 drain 0, n3 down 0');
    const last = receiver.taken.at(-1)!;
    expect(last.members).toMatchObject({ cluster: 'c-1', service: 'web', epoch: 3, vip: '192.0.2.10' });
    expect(last.members.members[2]?.reasons).toEqual([
      ...['report-failed', 'web-nginx/http is down: the disk is full'],
    ]);
    expect(last.headers['content-type']).toBe('application/json');
    for (const one of receiver.taken) expect(isGenuine(one, pki.signingKey, Date.now())).toBe(true);
    const numbers = receiver.taken.map(({ members }) => members.seq);
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(external.members('web')).toEqual(last.members);
    // The receiver has it before the answer is here.
    await until('nothing waits', () => external.view().webhook?.waiting.length === 0);
    expect(external.view().webhook).toEqual({ url: receiver.url, waiting: [], failing: null });
  });

  it('has a signature that holds for these bytes and this moment alone', async () => {
    start();
    await taken(ALL);
    const { headers, body } = receiver.taken[0]!;
    const genuine = (more: Partial<typeof headers>, text = body, now = Date.now()) =>
      isGenuine(
        { headers: { ...headers, ...more } as typeof headers, body: text },
        external.view().signingKey,
        now,
      );
    expect(genuine({})).toBe(true);
    expect(genuine({}, body.replace('"up"', '"down"'))).toBe(false);
    expect(genuine({ 'evenkeel-timestamp': String(Number(headers['evenkeel-timestamp']) + 1) })).toBe(false);
    expect(genuine({}, body, Date.now() + 301_000)).toBe(false);
    // Nodes take JSON that this key has signed; what is signed here is none.
    expect(() => JSON.parse(`${headers['evenkeel-timestamp']}.${body}`)).toThrow();
  });

  it('gets only what is newest when it was away, and then everything in order', async () => {
    start();
    await taken(ALL);
    const before = receiver.taken.length;
    await receiver.stop();
    drain('n1');
    await until('it waits', () => external.view().webhook?.waiting.length === 1);
    await until('it has failed', () => external.view().webhook?.failing !== null);
    undrain('n1');
    drain('n2');
    await until('the second change is known', () => external.members('web').members[1]?.state === 'drain');
    await receiver.start();
    await taken('n1 up 100, n2 drain 0, n3 up 100');
    expect(receiver.taken.slice(before).map(statesIn)).toEqual(['n1 up 100, n2 drain 0, n3 up 100']);
    undrain('n2');
    await taken(ALL);
    const numbers = receiver.taken.map(({ members }) => members.seq);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  });

  it('is tried again where it answers an error or sends elsewhere, and nothing follows it there', async () => {
    receiver.answer(302);
    start();
    await until('it was tried twice', () => receiver.tries.length >= 2);
    expect(external.view().webhook?.failing?.error).toBe('the receiver answered 302');
    receiver.answer(500);
    await until('it says so', () => external.view().webhook?.failing?.error === 'the receiver answered 500');
    expect(receiver.taken).toEqual([]);
    receiver.answer(200);
    await taken(ALL);
  });

  it('is told of a service that is gone, and a new receiver of everything', async () => {
    services = [serviceOf('mail'), serviceOf('web')];
    start();
    await until('both are told', () => receiver.taken.length === 2);
    services = [serviceOf('web')];
    pools.touch();
    await until('it is told that mail is gone', () => receiver.taken.at(-1)?.members.withdrawn === true);
    expect(receiver.taken.at(-1)?.members).toMatchObject({ service: 'mail', members: [] });
    const other = await createReceiver();
    webhook = { url: other.url };
    external.look();
    await until('the new one is told', () => other.taken.length === 1);
    expect(statesIn(other.taken[0]!)).toBe(ALL);
    await other.stop();
  });

  it('is told nothing by a manager that is held, or where none is declared', async () => {
    held = true;
    start();
    await until('the pool is known', () => pools.members().length === 1);
    await systemClock.sleep(200);
    expect(receiver.tries).toEqual([]);
    held = false;
    webhook = undefined;
    external.look();
    drain('n1');
    await systemClock.sleep(200);
    expect(receiver.tries).toEqual([]);
    expect(external.view().webhook).toBeNull();
  });

  it('is an event when it fails for a minute, and when it works again', async () => {
    await receiver.stop();
    const clock = createManualClock(Date.now());
    start(clock);
    const pass = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 500) {
        await clock.advance(500);
        await systemClock.sleep(5);
      }
    };
    await pass(58_000);
    expect(events).toEqual([]);
    await pass(40_000);
    expect(events.map(({ type }) => type)).toEqual(['webhook.failing']);
    expect(events[0]?.message).toContain(
      `the webhook ${receiver.url} has not taken the members of web since`,
    );
    await receiver.start();
    await pass(40_000);
    expect(events.map(({ type }) => type)).toEqual(['webhook.failing', 'webhook.delivered']);
    expect(statesIn(receiver.taken.at(-1)!)).toBe(ALL);
  });

  it('goes over TLS to whom the declared authority vouches for, and to nobody else', async () => {
    const { key, cert, ca } = pki.credentials.current();
    const bodies: string[] = [];
    const server = createServer({ key, cert }, (request, response) => {
      request.on('data', (part: Buffer) => void bodies.push(part.toString())).on('end', () => response.end());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    undo.push(() => void server.close());
    webhook = { url: `https://localhost:${(server.address() as AddressInfo).port}/` };
    start();
    await until('it is not believed', () => external.view().webhook?.failing?.error !== undefined);
    expect(external.view().webhook?.failing?.error).toMatch(/certificate/);
    webhook = { url: webhook.url.replace('localhost', '127.0.0.1'), ca };
    external.look();
    await until('it is told', () => bodies.length > 0);
  });
});
