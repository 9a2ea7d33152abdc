/** A whole manager for tests of what holds it: real store, keys, broker and API in a folder, and nodes with real links and disks. */
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join as pathOf } from 'node:path';
import { connectAsync } from 'mqtt';
import { openIdentity, join as takeIdentity } from '../../agent/identity.ts';
import { createLink } from '../../agent/link/link.ts';
import { createDesired } from '../../agent/state/desired.ts';
import { choosePorts } from '../../cli/sandbox/ports.ts';
import { systemClock } from '../../common/clock.ts';
import { makeFolder } from '../../common/files.ts';
import type { Running } from '../../common/lifecycle.ts';
import { placesOf, readConfig } from '../../manager/config.ts';
import { startManager } from '../../manager/manager.ts';
import { init } from '../../manager/setup/init.ts';
import type { ManagerState } from '../../protocol/views.ts';
import { quiet, temporaryFolder } from '../support/courier.ts';
import { until } from '../support/until.ts';

const address = '127.0.0.1';
const content = new URL('../..', import.meta.url).pathname;

export interface Answer<T> {
  status: number;
  body: T;
  raw: Buffer;
}

export type HeldManager = Awaited<ReturnType<typeof createHeldManager>>;
export type TestNode = Awaited<ReturnType<HeldManager['joinNode']>>;

export async function createHeldManager() {
  const { folder, remove } = await temporaryFolder();
  const data = pathOf(folder, 'manager');
  const here = [address];
  const ports = await choosePorts({ api: here, machines: here, broker: here, fallback: here });
  const { token } = await init(
    {
      ...{ data, content, address, balancer: 'haproxy' },
      ...{ apiPort: ports.api, machinesPort: ports.machines, brokerPort: ports.broker },
      fallbackPort: ports.fallback,
    },
    systemClock,
  );
  let running: Running | undefined;
  const nodes: { stop(): Promise<void> }[] = [];

  const stop = async () => {
    await running?.stop();
    running = undefined;
  };
  const { call, done, setToken } = createCaller({ data, port: ports.api, token });
  const state = () => done<ManagerState>('GET', '/api/v1/state');
  const invite = (name: string, roles: string[]) =>
    done<{ join: string }>('POST', '/api/v1/invites', { name, roles });
  const addressOf = createAddresses();
  const enrolWith = async (joinString: string, name: string) => {
    const identity = pathOf(folder, name, 'identity');
    const facts = factsOf(name, addressOf(name), pathOf(folder, name));
    await takeIdentity(joinString, { name, facts, folder: identity });
    return openIdentity({ folder: identity, clock: systemClock, log: quiet });
  };
  const enrol = async (name: string, roles: string[]) => enrolWith((await invite(name, roles)).join, name);
  return {
    data,
    ports,
    folder,
    store: placesOf(data).store,
    start: async () => {
      const config = { ...(await readConfig(data)), logLevel: 'silent' as const };
      running = await startManager({ data, config, clock: systemClock, log: quiet });
    },
    stop,
    call,
    done,
    state,
    setToken,
    ready: () => call<{ ok: boolean; reason?: string }>('GET', '/readyz'),
    held: () => until('the manager is held', async () => (await state()).mode === 'held'),
    resume: (allowShrink = false) => done<ManagerState>('POST', '/api/v1/resume', { allowShrink }),
    applySites: (names: string[]) =>
      done('POST', '/api/v1/apply', {
        documents: names.map((name) => ({ kind: 'Site', name, spec: { root: `/home/${name}` } })),
      }),
    joinWith: enrolWith,
    joinNode: async (name: string, roles: string[]) => {
      const node = await createNode(await enrol(name, roles), pathOf(folder, name, 'desired'));
      nodes.push(node);
      return node;
    },
    /** Joins a box again that has lost its certificate; what it keeps on disk stays. */
    rejoin: async (node: { stop(): Promise<void>; name: string }, roles: string[]) => {
      await node.stop();
      const again = await createNode(await enrol(node.name, roles), pathOf(folder, node.name, 'desired'));
      nodes.push(again);
      return again;
    },
    /** A joined node that only listens: every message that the broker hands to its roles. */
    eavesdrop: async (name: string, roles: string[]) => {
      const identity = await enrol(name, roles);
      return async () => {
        const client = await listen(identity, roles);
        nodes.push(client);
        return client;
      };
    },
    end: async () => {
      for (const node of nodes) await node.stop();
      await stop();
      await remove();
    },
  };
}

const factsOf = (hostname: string, address: string, state: string) => ({
  ...{ hostname, os: 'Debian 12', arch: 'x64', agent: '0.1.0', protocol: 1, address },
  paths: { state, run: pathOf(state, 'run'), log: state },
});

/** Each box has one of its own. */
function createAddresses() {
  const boxes: string[] = [];
  return (name: string) => {
    if (!boxes.includes(name)) boxes.push(name);
    return `127.0.0.${boxes.indexOf(name) + 11}`;
  };
}

/** The API as an administrator calls it. `done` throws where it is refused. */
function createCaller({ data, port, ...options }: { data: string; port: number; token: string }) {
  let { token } = options;
  const call = async <T>(method: string, path: string, body?: unknown): Promise<Answer<T>> => {
    const ca = await readFile(placesOf(data).authority, 'utf8');
    return ask<T>({ method, path, port, ca, token }, body);
  };
  const done = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await call<T>(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.raw.toString()}`);
    return answer.body;
  };
  return {
    call,
    done,
    setToken: (fresh: string) => {
      token = fresh;
    },
  };
}

type Identity = Awaited<ReturnType<typeof openIdentity>>;

async function createNode(identity: Identity, folder: string) {
  await makeFolder(folder);
  const desired = createDesired({ folder, log: quiet });
  let close: (() => Promise<void>) | undefined = await desired.start();
  let hangUp: (() => Promise<void>) | undefined;
  const applied: string[] = [];
  const start = () => {
    const link = createLink({
      identity,
      desired,
      handlers: {
        applied: (keys) => void applied.push(...keys),
        pool: () => undefined,
        lease: () => undefined,
        ask: async ({ id, what }) => ({ id, what, units: [] }),
        hello: () => undefined,
        refused: () => undefined,
      },
      beat: () => ({ ok: true }),
      version: '0.1.0',
      clock: systemClock,
      log: quiet,
    });
    hangUp = link.start();
    return link;
  };
  const away = async () => {
    await hangUp?.();
    hangUp = undefined;
  };
  const stands = () => Object.fromEntries(desired.scopes().map((scope) => [scope, desired.stand(scope)]));
  return {
    name: identity.node,
    identity,
    desired,
    applied,
    start,
    away,
    stands,
    sites: () =>
      desired
        .list('Site')
        .map(({ name }) => name)
        .sort(),
    stop: async () => {
      await away();
      await close?.();
      close = undefined;
    },
  };
}

/** Nothing but an MQTT client under the node's certificate. */
async function listen(identity: Identity, roles: string[]) {
  const heard: string[] = [];
  const { key, cert, ca } = identity.current();
  const client = await connectAsync({
    ...{ protocol: 'mqtts', host: address, port: identity.ports.broker, key, cert, ca },
    ...{ clientId: identity.node, protocolVersion: 4, reconnectPeriod: 0, keepalive: 10 },
  });
  client.on('message', (topic) => heard.push(topic));
  const scopes = ['cluster', `node/${identity.node}`, ...roles.map((role) => `role/${role}`)];
  const pools = roles.includes('balancer') ? ['evenkeel/1/pool/+', 'evenkeel/1/lease'] : [];
  await client.subscribeAsync([...scopes.map((scope) => `evenkeel/1/head/${scope}`), ...pools]);
  return { heard, stop: () => client.endAsync(true) };
}

interface Target {
  method: string;
  path: string;
  port: number;
  ca: string;
  token: string;
}

function ask<T>({ token, ...target }: Target, body: unknown): Promise<Answer<T>> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(text === undefined ? {} : { 'content-type': 'application/json' }),
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { ...target, host: address, agent: false, headers, timeout: 30_000 },
      (incoming) => {
        const parts: Buffer[] = [];
        incoming.on('data', (part: Buffer) => parts.push(part));
        incoming.once('error', reject);
        incoming.once('end', () => {
          const raw = Buffer.concat(parts);
          const isJson = /json/.test(incoming.headers['content-type'] ?? '');
          resolve({
            status: incoming.statusCode ?? 0,
            body: (isJson ? JSON.parse(raw.toString()) : undefined) as T,
            raw,
          });
        });
      },
    );
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer within 30 s')));
    outgoing.once('error', reject);
    outgoing.end(text);
  });
}
