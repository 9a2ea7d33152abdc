/** The manager, put together by hand: which parts there are, what each is given, and the order in which they start. */
import type { Clock } from '../common/clock.ts';
import { createFallback } from '../common/fallback.ts';
import { type Running, startAll } from '../common/lifecycle.ts';
import type { Log } from '../common/log.ts';
import { wholeOf } from '../common/own-release.ts';
import { messageOf } from '../protocol/errors.ts';
import { topicOf } from '../protocol/topics.ts';
import { createApi } from './api/app.ts';
import { createAsker } from './ask.ts';
import { createBackup } from './backup.ts';
import { nextBoot } from './boot.ts';
import { type Broker, createBroker } from './broker/broker.ts';
import { createClones } from './clones.ts';
import { type ManagerConfig, placesOf } from './config.ts';
import { createMissed } from './desired/missed.ts';
import { createPublisher } from './desired/publish.ts';
import { rules } from './desired/rules.ts';
import { createEvents } from './events.ts';
import { createGoing } from './going.ts';
import { createObserved, type Observed } from './health/observed.ts';
import { STANDING } from './health/told.ts';
import { createHistory } from './history/history.ts';
import { createJoin } from './join.ts';
import { createMachines } from './machines/server.ts';
import { createMetrics } from './metrics.ts';
import { createPeers } from './pki/peers.ts';
import { createPki } from './pki/pki.ts';
import { createPools, firstNumberOf, type Pools } from './pool/pools.ts';
import { createPreflight } from './preflight.ts';
import { createSchedules } from './queue/schedules.ts';
import { queueBrief } from './queue/views.ts';
import { createRefusals, refusedAt } from './refusals.ts';
import { openRelease } from './release.ts';
import { createSchedule } from './schedule.ts';
import { removeLeftovers } from './setup/aside.ts';
import { createStorageMoves, type StorageMoves } from './storage/moves.ts';
import { openHistoryFile } from './store/history-file.ts';
import { openStore } from './store/open.ts';
import type { Store } from './store/store.ts';
import { createManagerDoctor } from './wiring/doctor.ts';
import { createExternal } from './wiring/external.ts';
import { createNodeViews } from './wiring/nodes.ts';
import { wireQueue } from './wiring/queue.ts';
import { wireRuns } from './wiring/runs.ts';
import { worldOf } from './wiring/world.ts';
import { openWitness } from './witness.ts';

export interface ManagerOptions {
  /** The folder with the store, the keys and `manager.json`. */
  data: string;
  config: ManagerConfig;
  /** The folder of the release that it runs from; undefined for a checkout. */
  release?: string | undefined;
  clock: Clock;
  log: Log;
}

/** Opens the store and the keys, then starts every part. Resolves when it serves; a held manager serves too, read-only. */
export async function startManager(options: ManagerOptions): Promise<Running> {
  const { config, clock, log } = options;
  const core = await openCore(options);
  const fleet = wireFleet(core);
  const { store, pki, events, refusals, witness, history } = core;
  const { broker, observed, publisher, machines, clones, queue } = fleet;
  const storage = createStorageMoves({ store, observed, emit: events.emit, clock, log });
  const pools = wirePools(core, fleet);
  const { api, external, metrics, rolling, schedules } = wirePeople(core, { ...fleet, pools, storage });
  const followed = follow(core, fleet, { pools, external });
  const fallback = createFallback({
    listen: { address: config.address, port: config.ports.fallback },
    clock,
    log,
  });
  return startAll(
    [
      { name: 'store', start: async () => store.close },
      { name: 'witness', start: () => witness.follow(store) },
      { name: 'events', start: async () => events.start() },
      { name: 'refusals', start: async () => refusals.start() },
      { name: 'metrics', start: async () => metrics.start() },
      { name: 'history', start: async () => history.start() },
      { name: 'keys', start: async () => pki.start() },
      { name: 'clones', start: async () => clones.start() },
      { name: 'broker', start: broker.start },
      { name: 'observed', start: async () => observed.start(await toldBefore(core)) },
      { name: 'followers', start: async () => store.onCommit(followed) },
      { name: 'publisher', start: publisher.start },
      { name: 'queue', start: queue.start },
      { name: 'machines', start: machines.start },
      { name: 'doors', start: broker.listen },
      { name: 'pools', start: async () => pools.start() },
      { name: 'rolling', start: rolling.start },
      { name: 'schedules', start: async () => schedules.start() },
      { name: 'external', start: async () => external.start() },
      { name: 'storage', start: async () => storage.start() },
      { name: 'fallback', start: fallback.start },
      { name: 'schedule', start: async () => createSchedule({ store, log }).start() },
      { name: 'api', start: api.start },
    ],
    { clock, log },
  );
}

/** What a change of what is declared means to those who do not ask for it. */
function follow(
  { world, history, log }: Core,
  { broker, observed, missed, clones, queue }: Fleet,
  { pools, external }: { pools: Pools; external: { look(): void } },
) {
  return world.follow({
    removed: [
      broker.forget,
      async (node) => [observed, missed, clones].forEach((part) => void part.forget(node)),
      queue.forget,
    ],
    changed: () => {
      pools.touch();
      external.look();
      history.tidy();
    },
    log,
  });
}

/** What everything stands on: the store, the keys, and what is read from them. */
async function openCore({ data, config, release: folder, clock, log }: ManagerOptions) {
  const places = placesOf(data);
  await removeLeftovers(data);
  const witness = await openWitness({ file: places.witness, clock, log });
  const cluster = witness.seen()?.cluster;
  const opened = await openStore({ file: places.store, rules, ...(cluster && { cluster }), clock, log });
  const pki = await createPki({ folder: places.pki, address: config.address, clock, log });
  const boot = await nextBoot(data);
  const release = await openRelease(folder);
  const serves = () => (release.installer() === undefined ? undefined : process.arch);
  const preflight = createPreflight({ view: opened.view, ports: config.ports, serves, clock });
  const events = createEvents({ store: opened, log });
  const hold = (reason: string) => {
    events.emit({ type: 'manager.held', severity: 'error', subject: 'manager', message: reason });
    return opened.hold(reason);
  };
  const store: Store = { ...opened, hold };
  const doubt = witness.doubts(store.meta());
  if (doubt !== undefined) await hold(doubt);
  const refusals = createRefusals({ emit: events.emit, clock });
  const world = worldOf(store);
  const held = () => store.meta().mode === 'held';
  // Of a store that may lack nodes, nobody hears that he was removed: every box would give back what it has.
  const removed = (node: string, key: string) => !held() && store.certificates.latest(node)?.key === key;
  const keeper = await openHistoryFile({ file: places.history, log });
  const history = createHistory({ keeper, world, held, clock, log });
  return {
    config,
    clock,
    log,
    places,
    witness,
    store,
    held,
    removed,
    pki,
    boot,
    release,
    preflight,
    events,
    refusals,
    world,
    history,
    cluster: store.meta().cluster,
  };
}
type Core = Awaited<ReturnType<typeof openCore>>;

/** What an earlier run told people; a store that is damaged may not have it any more. */
async function toldBefore({ store, log }: Core) {
  if (store.meta().damaged) return [];
  return store.events.latest(STANDING).catch((err: unknown) => {
    log.warn({ err: messageOf(err) }, 'events of an earlier run cannot be read');
    return [];
  });
}

/** The side of the nodes: the broker, what travels over it, and what nodes said. */
function wireFleet(core: Core) {
  const { config, clock, log, store, held, pki, events, refusals, world, cluster, history } = core;
  const { address, ports } = config;
  const seal = pki.seal;
  const refused = refusedAt(refusals);
  const peers = createPeers({
    ...{ lookup: world.peer, removed: core.removed, refused: refused.certificate },
    network: () => world.cluster()?.spec.networks?.cluster,
    clock,
  });
  const observed = createObserved({ clock, emit: events.emit, headsOf: world.headsOf });
  const clones = createClones({ heard: (node) => observed.of(node)?.heardTick, emit: events.emit, clock });
  const broker = createBroker({
    listen: { address, port: ports.broker },
    tls: pki.credentials,
    peers,
    admitBox: clones.admit,
    handlers: {
      status: (node, status) => {
        publisher.noticed(node, status);
        observed.status(node, status);
      },
      beat: (node, beat) => {
        observed.beat(node, beat);
        missed.beat(node, beat);
      },
      report: async (node, report) => observed.report(node, report),
      answer: (node, answer) => asker.answered(node, answer),
      traffic: history.traffic,
      output: (node, piece) => wired.live.heard(node, piece),
      gone: (node) => log.debug({ node }, 'connection is gone'),
    },
    refused: refused.handshake,
    clock,
    log,
  });
  const { publish, clear } = broker;
  const join = wireJoin(core, { observed, broker });
  const publisher = createPublisher({ cluster, store, publish, clear, seal, clock, log });
  const missed = createMissed({ headsOf: world.headsOf, again: publisher.again });
  const asker = createAsker({
    cluster,
    seal,
    send: (node, envelope) => publish(topicOf.ask(node), envelope),
    clock,
    log,
  });
  const wired = wireQueue({ store, cluster, held, asker, seal, emit: events.emit, clock, log });
  const machines = createMachines({
    ...{ cluster, store, seal, peers, held, log },
    listen: { address, port: ports.machines },
    ...{ tls: pki.credentials, refused: refused.handshake, renew: join.renew, queue: wired.pull },
    leave: async (node, run) => {
      clones.refuseCopy(node, run);
      await join.leave(node);
    },
  });
  return { observed, missed, join, clones, broker, publisher, asker, machines, ...wired };
}

/** How boxes become nodes. Whoever is connected and heard is alive, and keeps its place. */
function wireJoin(core: Core, { observed, broker }: { observed: Observed; broker: Broker }) {
  const { config, clock, log, store, pki, events, refusals, cluster } = core;
  const { address, ports } = config;
  return createJoin({
    ...{ store, pki, cluster, address, ports, clock, log },
    ...{ emit: events.emit, refused: refusedAt(refusals).join, cut: broker.kick, removed: core.removed },
    installer: core.release.installer,
    preflight: core.preflight,
    alive: (node) => (observed.of(node)?.fresh ? broker.addressOf(node) : undefined),
  });
}

type Fleet = ReturnType<typeof wireFleet>;

function wirePools(core: Core, { observed, broker, asker }: Fleet) {
  const { clock, log, store, held, pki, boot, events, world, cluster } = core;
  return createPools({
    cluster,
    epoch: () => store.meta().epoch,
    firstNumber: firstNumberOf(boot),
    world,
    observed,
    sign: pki.seal,
    // Held, it is to the nodes as if there was no manager: opinions lapse, and directors go by their own probes.
    publish: async (topic, message) => (held() ? undefined : broker.publish(topic, message)),
    clear: broker.clear,
    hint: asker.hint,
    emit: events.emit,
    clock,
    log,
  });
}

/** The side of the people: views and the API. */
function wirePeople(core: Core, fleet: Fleet & { pools: Pools; storage: StorageMoves }) {
  const { config, clock, log, places, witness, store, held, pki, events, refusals, world, history } = core;
  const { observed, join, clones, broker, publisher, asker, pools, storage, queue, live } = fleet;
  const { address, ports } = config;
  const external = createExternal({ store, pools, pki, held, emit: events.emit, clock, log });
  const queueOf = (node: string) => queueBrief(queue.line(node), queue.paused(node) !== undefined);
  const nodes = createNodeViews({
    ...{ store, observed, world, waiting: join.waiting, clones, queueOf, clock },
  });
  const { data } = places;
  const doctor = createManagerDoctor({
    ...{ data, address, ports, store, events, pki, nodes, ask: asker.ask, preflight: core.preflight, clock },
  });
  const { runs, rolling } = wireRuns({
    ...{ queue, live, store, nodes, pools, observed, held, doctor, events, clock, log },
  });
  const schedules = createSchedules({ store, runs, queue, held, emit: events.emit, clock, log });
  const metrics = createMetrics({
    ...{ store, nodes, pools, traffic: history.live },
    ...{ refused: refusals.counts, dropped: broker.counts },
  });
  const api = createApi({
    listen: { address, port: ports.api },
    tls: pki.credentials,
    ...{ store, events, nodes, pools, external, history, storage, runs, schedules, metrics, clock, log },
    going: createGoing({
      store,
      publisher,
      earlierEpoch: () => witness.seen()?.epoch ?? 0,
      release: () => wholeOf(core.release.agent()?.id ?? ''),
      address,
      ports,
    }),
    join,
    refused: refusals.refused,
    ask: asker.ask,
    doctor,
    release: core.release,
    backup: createBackup({ store, pki: places.pki, log }),
  });
  return { api, external, metrics, rolling, schedules };
}
