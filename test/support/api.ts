/** The API as tests run it: a real store in a real file, the shipped policies, and plain values where other parts stand. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { LightMyRequestResponse } from 'fastify';
import { type Clock, systemClock } from '../../common/clock.ts';
import { createLog, type Log } from '../../common/log.ts';
import { type ApiOptions, createApi } from '../../manager/api/app.ts';
import { editsOf } from '../../manager/api/change/documents.ts';
import { createBackup } from '../../manager/backup.ts';
import { rules } from '../../manager/desired/rules.ts';
import { createEvents } from '../../manager/events.ts';
import { nodeView } from '../../manager/health/view.ts';
import { createHistory } from '../../manager/history/history.ts';
import { createJoin } from '../../manager/join.ts';
import { createMetrics } from '../../manager/metrics.ts';
import { createPki, initPki } from '../../manager/pki/pki.ts';
import { createPreflight } from '../../manager/preflight.ts';
import { createRefusals, refusedAt } from '../../manager/refusals.ts';
import { openRelease } from '../../manager/release.ts';
import { loadShipped } from '../../manager/shipped.ts';
import type { Said } from '../../manager/storage/facts.ts';
import { createStorageMoves } from '../../manager/storage/moves.ts';
import { openHistoryFile } from '../../manager/store/history-file.ts';
import { openStore } from '../../manager/store/open.ts';
import { createManagerDoctor } from '../../manager/wiring/doctor.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Answer, Ask } from '../../protocol/messages.ts';
import type { AccessRole, NodeView, PoolView } from '../../protocol/views.ts';
import { type QueueGiven, queueFor } from './api-queue.ts';

const checkout = resolve(import.meta.dirname, '../..');

export interface TestApiOptions {
  clock?: Clock;
  failuresPerMinute?: number;
  /** The folder of a release. */
  release?: string;
  ask?: (node: string, what: Ask['what'], more?: Pick<Ask, 'needs' | 'release'>) => Promise<Answer>;
  /** From which address a node speaks now. */
  alive?: (node: string) => string | undefined;
  /** Changes how a node is seen: in truth that is what it says itself. */
  seen?: (view: NodeView) => NodeView;
  pools?: PoolView[];
  /** What nodes say of the storages that they mount. */
  said?: (node: string) => Said | undefined;
  external?: ApiOptions['external'];
  starts?: QueueGiven['starts'];
  /** One that has ended: this one opens its store. */
  again?: { folder: string; tokens: Record<AccessRole, string> } | undefined;
  logLevel?: string;
}

const stateOf = (store: TestStore) => ({
  ...{ version: '0', release: '', protocol: 1, ahead: [], address: '127.0.0.1' },
  ...store.meta(),
  ports: { api: 1, machines: 1, broker: 1, fallback: 1 },
});

export type TestApi = Awaited<ReturnType<typeof startTestApi>>;

export async function startTestApi(options: TestApiOptions = {}) {
  const { clock = systemClock, seen = (view) => view, pools = [], failuresPerMinute } = options;
  const { again, starts } = options;
  const log = createLog('test', options.logLevel ?? 'silent');
  const { folder, keys, store, pki } = await openKept({ again, clock, log });
  const nodes = nodesOf(store, clock, seen);
  const views = { views: () => pools };
  const events = createEvents({ store, log });
  const refusals = createRefusals({ emit: events.emit, clock });
  const history = await openTestHistory({ store, folder, clock, log });
  const metrics = createMetrics({
    ...{ store, nodes, pools: views, traffic: history.live },
    ...{ refused: refusals.counts, dropped: () => ({}) },
  });
  const storage = createStorageMoves({ store, observed: hearing(options), emit: events.emit, clock, log });
  const boxes = joinFor(options, { store, pki, events, refusals, clock, log });
  const asked = askedOf(options, { data: folder, store, events, pki, nodes, clock });
  const { runs, queue, live, schedules, ...queued } = queueFor({
    ...{ store, events, doctor: asked.doctor, nodes, pools: views, starts, clock, log },
  });
  const api = createApi({
    ...{ storage, history, store, events, nodes, metrics, clock, log, pools: views, tls: pki.credentials },
    ...{ listen: { address: '127.0.0.1', port: 0 }, ...asked, runs, schedules },
    release: await openRelease(options.release),
    ...{ join: boxes, external: options.external ?? nobodyElse, refused: refusals.refused },
    going: {
      state: () => stateOf(store),
      resume: async (how) => {
        await store.resume({ ...how, seenEpoch: 0 });
        return stateOf(store);
      },
    },
    backup: createBackup({ store, pki: keys, log }),
    ...(failuresPerMinute === undefined ? {} : { failuresPerMinute }),
  });
  const undo = [storage, history, events, refusals, metrics].map((part) => part.start());
  undo.unshift(store.close);
  undo.push(await queued.start(), await api.start());
  const [tokens, app] = [again?.tokens ?? (await tokensFor(store)), await api.app()];
  /** What it has kept stays, for `again`. */
  const end = async () => {
    for (const one of undo.splice(0).reverse()) await one();
  };
  return {
    ...{ folder, keys, store, pki, api, app, events, history, tokens, queue, live },
    url: `https://127.0.0.1:${api.port()}`,
    /** Asks as an admin, or as said; a body that is text is sent as YAML. */
    ask: (method: Method, url: string, body?: unknown, headers: Record<string, string> = {}) =>
      app.inject({
        ...{ method, url },
        headers: {
          authorization: `Bearer ${tokens.admin}`,
          ...(body === undefined
            ? {}
            : { 'content-type': typeof body === 'string' ? 'application/yaml' : 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === 'string' ? body : JSON.stringify(body) }),
      }) as Promise<LightMyRequestResponse>,
    end,
    stop: async () => {
      await end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A store and keys, new ones or those of `again`. */
async function openKept({ again, clock, log }: Pick<TestApiOptions, 'again'> & { clock: Clock; log: Log }) {
  const folder = again?.folder ?? mkdtempSync(join(tmpdir(), 'evenkeel-api-'));
  const store = await openStore({ file: join(folder, 'store.sqlite'), rules, clock, log, create: !again });
  const keys = join(folder, 'pki');
  if (!again) await initPki({ folder: keys, clock });
  const pki = await createPki({ folder: keys, address: '127.0.0.1', clock, log });
  const cluster = { kind: 'Cluster', name: 'cluster', spec: { address: '127.0.0.1', balancer: 'haproxy' } };
  if (!again) await declare(store, [cluster, ...(await loadShipped(checkout))]);
  return { folder, keys, store, pki };
}

/** Boxes join as they do at a manager, only that no node is ever connected. */
const joinFor = (
  { alive = () => undefined }: TestApiOptions,
  given: Pick<Parameters<typeof createJoin>[0], 'store' | 'pki' | 'clock' | 'log'> & {
    store: TestStore;
    events: ReturnType<typeof createEvents>;
    refusals: ReturnType<typeof createRefusals>;
  },
) =>
  createJoin({
    ...{ ...given, cluster: given.store.meta().cluster, address: '127.0.0.1', emit: given.events.emit },
    ports: { api: 1, machines: 1, broker: 1 },
    preflight: createPreflight({
      view: given.store.view,
      ports: { machines: 1, broker: 1 },
      clock: given.clock,
    }),
    ...{ refused: refusedAt(given.refusals).join, alive, cut: async () => undefined, removed: () => false },
  });

const ports = { api: 1, machines: 1, broker: 1 };

type Wiring = Parameters<typeof createManagerDoctor>[0];

/** Whoever asks nodes, the doctor as well. */
const askedOf = (
  { ask = async (_, what) => ({ id: '1', what, units: [] }) }: TestApiOptions,
  given: Omit<Wiring, 'address' | 'ports' | 'preflight' | 'ask'>,
) => {
  const { store, clock } = given;
  const preflight = createPreflight({ view: store.view, ports, clock });
  return { ask, doctor: createManagerDoctor({ ...given, address: '127.0.0.1', ports, preflight, ask }) };
};

/** What nodes say is asked for again by the timer of the moves. */
const hearing = ({ said }: TestApiOptions) => ({
  of: (name: string) => said?.(name),
  onChange: () => () => undefined,
});

type TestStore = Awaited<ReturnType<typeof openStore>>;

function nodesOf(store: TestStore, clock: Clock, seen: (view: NodeView) => NodeView) {
  const viewOf = (name: string): NodeView | undefined => {
    const node = store.view().Node.get(name);
    if (!node) return undefined;
    const inputs = { name, spec: node.spec, memory: undefined, heads: [], units: [] };
    return seen(nodeView({ ...inputs, certificateExpires: null, now: clock.now() }));
  };
  return {
    one: viewOf,
    all: () => [...store.view().Node.keys()].flatMap((name) => viewOf(name) ?? []),
  };
}

/** The rings of a manager beside its store. */
async function openTestHistory(given: { store: TestStore; folder: string; clock: Clock; log: Log }) {
  const { store, folder, clock, log } = given;
  return createHistory({
    keeper: await openHistoryFile({ file: join(folder, 'history.sqlite'), log }),
    world: {
      virtualServices: () => [...store.view().VirtualService.values()],
      nodes: () => [...store.view().Node.values()],
    },
    held: () => store.meta().mode === 'held',
    ...{ clock, log },
  });
}

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Puts documents into the store as they are, beside the API. */
export async function declare(
  store: Awaited<ReturnType<typeof openStore>>,
  documents: unknown[],
): Promise<void> {
  const edits = await editsOf(documents, store.view(), { name: 'test', role: 'admin' });
  await store.write({ actor: 'test', edits });
}

async function tokensFor(store: Awaited<ReturnType<typeof openStore>>): Promise<Record<AccessRole, string>> {
  const make = (role: AccessRole) => store.tokens.create({ name: role, role });
  return { viewer: await make('viewer'), operator: await make('operator'), admin: await make('admin') };
}

const nobodyElse: ApiOptions['external'] = {
  members: (service) => {
    throw new EvenkeelError('not-found', `there is no VirtualService/${service}`);
  },
  view: () => ({ signingKey: '', webhook: null }),
};

export const node = (name: string, roles: string[], address: string, more: object = {}) => ({
  ...{ kind: 'Node', name },
  spec: { roles, address, ...more },
});
export const site = (name: string, more: object = {}) => ({
  ...{ kind: 'Site', name },
  spec: { root: '/srv/www', ...more },
});
