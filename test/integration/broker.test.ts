/** The broker with real certificates and Debian's own MQTT clients: what a node may say is heard, and nothing else ever is. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { connectAsync, type MqttClient } from 'mqtt';
import { generate } from 'mqtt-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Report } from '../../protocol/messages.ts';
import { topicOf } from '../../protocol/topics.ts';
import {
  type Courier,
  createAuthority,
  type Enrolled,
  startCourier,
  temporaryFolder,
} from '../support/courier.ts';
import { until } from '../support/until.ts';

let courier: Courier;
let running: ChildProcess[];
let clients: MqttClient[];

beforeEach(async () => {
  [running, clients] = [[], []];
  courier = await startCourier();
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const client of clients) client.end(true);
  await courier.stop();
});

/** Debian's client, as a node with its certificate. */
async function mosquitto(tool: 'pub' | 'sub', node: Enrolled, args: string[]) {
  const at = (name: string) => join(courier.folder, `${node.node}.${name}`);
  const { key, cert, ca } = node.current();
  await writeFile(at('key'), key);
  await writeFile(at('cert'), cert);
  await writeFile(at('ca'), ca);
  const tls = ['--cafile', at('ca'), '--cert', at('cert'), '--key', at('key'), '--tls-version', 'tlsv1.3'];
  const where = ['-h', '127.0.0.1', '-p', String(courier.ports.broker), '-i', node.node, '-k', '10'];
  const child = spawn(`mosquitto_${tool}`, [...where, ...tls, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const lines: string[] = [];
  child.stdout?.on('data', (data: Buffer) => lines.push(...data.toString().split('\n').filter(Boolean)));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, lines, ended };
}

async function client(node: Enrolled, options: object = {}): Promise<MqttClient> {
  const made = await connectAsync({
    protocol: 'mqtts',
    host: '127.0.0.1',
    port: courier.ports.broker,
    ...node.current(),
    clientId: node.node,
    reconnectPeriod: 0,
    keepalive: 10,
    ...options,
  });
  made.on('error', () => undefined);
  clients.push(made);
  return made;
}

const reportOf = (id: string): Report => ({
  type: 'check',
  id,
  session: 's',
  at: '2026-11-21T09:00:00Z',
  unit: 'web-nginx',
  check: 'http',
  state: 'up',
  detail: '',
});
const beat = JSON.stringify({ s: 's', n: 1, e: 1, r: [1], ok: true });
const status = (state: 'online' | 'offline') =>
  JSON.stringify({ session: 's', state, version: '1', protocol: 1, scopes: {} });

describe('what a node says as another, with mosquitto_pub', () => {
  it('[4] is never seen by a permitted subscriber, published, retained or as a will; the control message is', async () => {
    const [victim, thief] = [await courier.enrol('web1', []), await courier.enrol('web2', [])];
    const hears = async () => {
      const filters = [`evenkeel/1/node/web1/#`, topicOf.head('node/web1'), topicOf.head('cluster')];
      const sub = await mosquitto('sub', victim, ['-v', '-q', '1', ...filters.flatMap((f) => ['-t', f])]);
      await until('web1 is connected', () => courier.broker().online().includes('web1'));
      return sub;
    };
    const before = await hears();
    const stolen = [
      topicOf.ask('web1'),
      topicOf.receipt('web1'),
      topicOf.status('web1'),
      topicOf.head('cluster'),
    ];
    for (const topic of [...stolen, topicOf.head('node/web1')]) {
      for (const qos of ['0', '1', '2'])
        await (await mosquitto('pub', thief, ['-t', topic, '-m', 'forged', '-q', qos, '-r'])).ended;
      const will = ['--will-topic', topic, '--will-payload', 'forged', '--will-retain', '--will-qos', '1'];
      const dying = await mosquitto('sub', thief, [...will, '-t', 'evenkeel/1/node/web2/#']);
      await until('web2 is connected', () => courier.broker().online().includes('web2'));
      dying.child.kill('SIGKILL');
      await until('web2 is gone', () => !courier.broker().online().includes('web2'));
    }
    // The control: what the manager says does arrive, before and after a new subscription.
    await courier.broker().publish(topicOf.receipt('web1'), { ids: ['control'] });
    await until('the control message arrives', () => before.lines.some((line) => line.includes('control')));
    before.child.kill('SIGTERM');
    await before.ended;
    courier.journal.commit([{ kind: 'Cluster', name: 'cluster', spec: {}, scopes: ['cluster'] }]);
    const after = await hears();
    await until('the retained head arrives', () =>
      after.lines.some((line) => line.startsWith(topicOf.head('cluster'))),
    );
    expect([...before.lines, ...after.lines].filter((line) => line.includes('forged'))).toEqual([]);
    expect(courier.heard.statuses).toEqual([]);
    expect(courier.broker().counts()).toMatchObject({ qos: 5, topic: 15 });
  });

  it('[4] what it says as itself arrives: beat, status and will', async () => {
    const node = await courier.enrol('web1', []);
    const pub = (topic: string, payload: string) =>
      mosquitto('pub', node, ['-t', topic, '-m', payload, '-q', '1']);
    expect(await (await pub(topicOf.beat('web1'), beat)).ended).toBe(0);
    expect(await (await pub(topicOf.status('web1'), status('online'))).ended).toBe(0);
    const will = [
      '--will-topic',
      topicOf.status('web1'),
      '--will-payload',
      status('offline'),
      '--will-retain',
    ];
    const dying = await mosquitto('sub', node, [...will, '-t', 'evenkeel/1/node/web1/#']);
    await until('web1 is connected', () => courier.broker().online().includes('web1'));
    dying.child.kill('SIGKILL');
    await until('the will is heard', () => courier.heard.statuses.length === 2);
    expect(courier.heard.statuses.map(({ status }) => status.state)).toEqual(['online', 'offline']);
    expect(courier.heard.beats).toEqual(['web1']);
    expect(courier.heard.gone).toContain('web1');
  });
});

describe('who gets in', () => {
  const refusedTls = (options: object) =>
    new Promise<string>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port: courier.ports.broker, ...options });
      socket.on('error', (err) => resolve(err.message));
      socket.on('close', () => resolve('closed'));
    });

  it('[4] nobody without a certificate, with one of another authority, or with an older TLS', async () => {
    const { key, cert, ca } = (await courier.enrol('web1', [])).current();
    expect(await refusedTls({ ca })).toMatch(/certificate required/);
    expect(await refusedTls({ ca, key, cert, maxVersion: 'TLSv1.2' })).toMatch(/protocol version/);
    const { folder, remove } = await temporaryFolder();
    const other = await createAuthority(folder);
    const theirs = other.credentials.current();
    expect(await refusedTls({ ca, key: theirs.key, cert: theirs.cert })).toMatch(/closed|unknown ca|decrypt/);
    expect(await refusedTls({ ca: theirs.ca, key, cert })).toMatch(/self-signed certificate/);
    expect([courier.broker().online(), courier.heard.gone]).toEqual([[], []]);
    await until(
      'all three are told of, but for the one that refused us',
      () => courier.heard.handshakes.length >= 3,
    );
    expect(new Set(courier.heard.handshakes)).toEqual(new Set(['127.0.0.1']));
    await remove();
  });

  it('[4] no node with the client id of another, unknown, removed, or with a key that it did not join with', async () => {
    const [web1, web2] = [await courier.enrol('web1', []), await courier.enrol('web2', [])];
    await expect(client({ ...web2, node: 'web1' })).rejects.toThrow(/Not authorized/);
    const earlier = web1;
    await courier.enrol('web1', []);
    await expect(client(earlier)).rejects.toThrow(/Not authorized/);
    await courier.removeNode('web2');
    await expect(client(web2)).rejects.toThrow(/Not authorized/);
    expect(courier.heard.refused).toEqual([
      { node: 'web2', code: 'forbidden' },
      { node: 'web1', code: 'identity-changed' },
      { node: 'web2', code: 'node-removed' },
    ]);
  });

  it('[4] a node that comes twice takes the place of its older connection', async () => {
    const node = await courier.enrol('web1', []);
    const first = await client(node);
    const closed = new Promise<void>((resolve) => first.once('close', () => resolve()));
    const second = await client(node);
    await closed;
    expect(second.connected).toBe(true);
    expect(courier.broker().online()).toEqual(['web1']);
  });

  it('[4] a removed node is cut at once, and nothing retained is left of it', async () => {
    const node = await courier.enrol('web1', []);
    courier.journal.commit([{ kind: 'Node', name: 'web1', spec: {}, scopes: ['node/web1'] }]);
    const connected = await client(node, {
      will: { topic: topicOf.status('web1'), payload: Buffer.from(status('offline')), retain: true, qos: 1 },
    });
    await connected.publishAsync(topicOf.status('web1'), status('online'), { retain: true, qos: 1 });
    await until('the status is heard', () => courier.heard.statuses.length === 1);
    const closed = new Promise<void>((resolve) => connected.once('close', () => resolve()));
    await courier.removeNode('web1');
    await closed;
    const again = await client(await courier.enrol('web1', []));
    const seen: string[] = [];
    again.on('message', (topic) => seen.push(topic));
    await again.subscribeAsync([topicOf.head('node/web1'), 'evenkeel/1/node/web1/#'], { qos: 1 });
    await courier.broker().publish(topicOf.receipt('web1'), { ids: [] });
    await until('the control message arrives', () => seen.includes(topicOf.receipt('web1')));
    expect(seen).toEqual([topicOf.receipt('web1')]);
    expect(courier.heard.statuses).toHaveLength(1);
  });
});

describe('what is heard', () => {
  it('[4] only the filters that are its own are granted, and a lost role is deaf at once', async () => {
    const node = await client(await courier.enrol('web1', ['web', 'balancer']));
    for (const filter of [
      '#',
      'evenkeel/1/#',
      'evenkeel/1/node/+/status',
      topicOf.ask('web2'),
      topicOf.head('role/storage'),
    ])
      await expect(node.subscribeAsync(filter)).rejects.toThrow();
    const seen: string[] = [];
    node.on('message', (topic) => seen.push(topic));
    await node.subscribeAsync(['evenkeel/1/pool/+', topicOf.head('role/web'), topicOf.head('cluster')]);
    await courier.broker().publish(topicOf.pool('www'), { p: '', s: '' });
    await until('the pool is heard', () => seen.includes(topicOf.pool('www')));
    courier.setRoles('web1', []);
    await courier.broker().publish(topicOf.pool('www'), { p: '', s: '' });
    await courier.broker().publish(topicOf.head('role/web'), { p: '', s: '' });
    await courier.broker().publish(topicOf.head('cluster'), { p: '', s: '' });
    await until('the cluster is heard', () => seen.includes(topicOf.head('cluster')));
    expect(seen).toEqual([topicOf.pool('www'), topicOf.head('cluster')]);
  });

  it('[4] a head that was published before the broker listens waits for the first node', async () => {
    await courier.stopBroker();
    courier.journal.commit([{ kind: 'Cluster', name: 'cluster', spec: {}, scopes: ['cluster'] }]);
    await courier.startBroker();
    const node = await client(await courier.enrol('web1', []));
    const heard = new Promise<string>((resolve) => node.once('message', (topic) => resolve(topic)));
    await node.subscribeAsync(topicOf.head('cluster'));
    expect(await heard).toBe(topicOf.head('cluster'));
  });

  it('[4] a will that was stored is not heard for a node that lives, nor after a restart', async () => {
    const will = {
      topic: topicOf.status('web1'),
      payload: Buffer.from(status('offline')),
      retain: true,
      qos: 1,
    };
    const node = await courier.enrol('web1', []);
    await client(node, { will });
    await courier.stopBroker();
    await courier.startBroker();
    const again = await client(node);
    await again.publishAsync(topicOf.status('web1'), status('online'), { qos: 1, retain: true });
    await until('the status is heard', () => courier.heard.statuses.length > 0);
    expect(courier.heard.statuses.map(({ status }) => status.state)).toEqual(['online']);
  });
});

describe('a breach', () => {
  it('[4] is acknowledged and dropped, so that the client neither leaves nor tries again', async () => {
    const node = await client(await courier.enrol('web1', []));
    let closed = 0;
    node.on('close', () => {
      closed += 1;
    });
    await node.publishAsync(topicOf.report('web2'), JSON.stringify(reportOf('a')), { qos: 1 });
    await node.publishAsync(topicOf.report('web1'), JSON.stringify(reportOf('b')), { qos: 2 });
    await node.publishAsync(topicOf.report('web1'), '{"type":"check"}', { qos: 1 });
    await node.publishAsync(topicOf.beat('web1'), `${beat}${' '.repeat(2000)}`, { qos: 1 });
    await node.publishAsync(topicOf.report('web1'), JSON.stringify(reportOf('good')), { qos: 1 });
    await until('the good report is heard', () => courier.heard.reports.length > 0);
    expect(courier.heard.reports.map(({ report }) => report.id)).toEqual(['good']);
    expect(closed).toBe(0);
    expect(courier.broker().counts()).toMatchObject({ topic: 1, qos: 1, schema: 1, size: 1 });
  });
});

describe('what a connection may cost', () => {
  const length = (size: number) =>
    Buffer.from([0, 7, 14, 21].map((by) => ((size >> by) & 127) | (by < 21 ? 128 : 0)));
  /** Speaks bytes of its own under the certificate of a node. */
  const raw = async (node: Enrolled) => {
    const socket = connectTls({ host: '127.0.0.1', port: courier.ports.broker, ...node.current() });
    socket.on('error', () => undefined).resume();
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await new Promise<void>((resolve) => socket.once('secureConnect', () => resolve()));
    return { socket, closed };
  };
  const connect = (id: string) =>
    generate({
      cmd: 'connect',
      clientId: id,
      protocolId: 'MQTT',
      protocolVersion: 4,
      clean: true,
      keepalive: 10,
    });

  it('[4] a packet that announces more than the bound is not waited for: its connection is cut, and counted', async () => {
    const node = await courier.enrol('web1', []);
    const announced = 256 * 1024 * 1024 - 1;
    const { socket, closed } = await raw(node);
    socket.write(Buffer.concat([connect('web1'), Buffer.from([0x30]), length(announced)]));
    const before = process.memoryUsage().rss;
    const piece = Buffer.alloc(1024 * 1024);
    let sent = 0;
    while (!socket.destroyed && sent < announced) {
      await new Promise<void>((resolve) => socket.write(piece, () => resolve()));
      sent += piece.length;
    }
    await closed;
    expect(sent, 'it was cut long before the packet was whole').toBeLessThan(64 * 1024 * 1024);
    expect(process.memoryUsage().rss - before).toBeLessThan(96 * 1024 * 1024);
    expect(courier.broker().counts()).toMatchObject({ packet: 1 });
    expect((await client(node)).connected, 'the node itself comes back').toBe(true);
  });

  it('[4] a length byte by byte, a first packet that is no CONNECT, and a huge will or filter are cut as well', async () => {
    const node = await courier.enrol('web1', []);
    const beginnings = [
      [connect('web1'), Buffer.from([0x30]), ...[...length(200_000_000)].map((byte) => Buffer.from([byte]))],
      [Buffer.from([0x30]), length(10)],
      [Buffer.from([0x10]), length(1_000_000)],
      [connect('web1'), Buffer.from([0x82]), length(1_000_000)],
      [connect('web1'), Buffer.from([0x30, 0x80, 0x80, 0x80, 0x80, 0x01])],
    ];
    for (const [at, pieces] of beginnings.entries()) {
      const { socket, closed } = await raw(node);
      for (const piece of pieces) {
        socket.write(piece);
        await sleep(5);
      }
      await closed;
      expect(courier.broker().counts().packet).toBe(at + 1);
    }
  });

  it('[4] who does not say CONNECT in time is cut, and above the most connections nobody gets in', async () => {
    await courier.stop();
    courier = await startCourier({}, { connectMs: 300, connections: 2 });
    const [web1, web2] = [await courier.enrol('web1', []), await courier.enrol('web2', [])];
    const silent = await raw(web1);
    const trickling = await raw(web2);
    trickling.socket.write(Buffer.from([0x10, 0x14]));
    const third = connectTls({ host: '127.0.0.1', port: courier.ports.broker, ...web1.current() });
    third.on('error', () => undefined).resume();
    await new Promise<void>((resolve) => third.once('close', () => resolve()));
    expect(courier.broker().counts()).toMatchObject({ connection: 1 });
    await Promise.all([silent.closed, trickling.closed]);
    expect((await client(web1)).connected).toBe(true);
  });
});

describe('receipts', () => {
  it('[4] leave only when the report is kept, and never for one that was not', async () => {
    await courier.stop();
    let keep: () => void = () => undefined;
    const kept = new Promise<void>((resolve) => {
      keep = resolve;
    });
    courier = await startCourier({
      report: async (_node, { id }) => {
        await kept;
        if (id === 'bad') throw new Error('the disk is full');
      },
    });
    const node = await client(await courier.enrol('web1', []));
    const ids: string[] = [];
    node.on('message', (_topic, payload) => ids.push(...JSON.parse(payload.toString()).ids));
    await node.subscribeAsync('evenkeel/1/node/web1/#', { qos: 1 });
    for (const id of ['good', 'bad', 'fine'])
      await node.publishAsync(topicOf.report('web1'), JSON.stringify(reportOf(id)), { qos: 1 });
    await courier.broker().publish(topicOf.receipt('web1'), { ids: ['control'] });
    await until('the control message arrives', () => ids.length > 0);
    expect(ids).toEqual(['control']);
    keep();
    await until('the receipts arrive', () => ids.length === 3);
    expect(ids.slice(1).sort()).toEqual(['fine', 'good']);
  });
});
