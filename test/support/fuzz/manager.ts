/** The manager's side of the fuzz: its real parts over one folder, stopped and opened again, with faults in what it publishes. */
import { join } from 'node:path';
import { systemClock } from '../../../common/clock.ts';
import { type Running, startAll } from '../../../common/lifecycle.ts';
import { createBroker } from '../../../manager/broker/broker.ts';
import { createMissed } from '../../../manager/desired/missed.ts';
import { createPublisher, type PublisherOptions } from '../../../manager/desired/publish.ts';
import { rules } from '../../../manager/desired/rules.ts';
import { createEvents } from '../../../manager/events.ts';
import { createObserved } from '../../../manager/health/observed.ts';
import { createMachines } from '../../../manager/machines/server.ts';
import { createPeers } from '../../../manager/pki/peers.ts';
import { createPki, initPki, type Pki } from '../../../manager/pki/pki.ts';
import { openStore } from '../../../manager/store/open.ts';
import type { Store } from '../../../manager/store/store.ts';
import { worldOf } from '../../../manager/wiring/world.ts';
import { quiet } from '../courier.ts';

/** What stands between the parts and may do harm there. */
export interface Faults {
  /** Wraps what the publisher sends by. */
  publish(send: PublisherOptions['publish']): PublisherOptions['publish'];
  /** Wraps what the publisher hears of commits. */
  store(store: Store): PublisherOptions['store'];
  /** Messages to this node are lost on their way. */
  isDeaf(node: string): boolean;
}

export interface Manager {
  start(): Promise<void>;
  stop(): Promise<void>;
  isUp(): boolean;
  /** Of the running manager. @throws when it is down */
  store(): Store;
  pki(): Pki;
  port(of: 'broker' | 'machines'): number | undefined;
}

const clock = systemClock;
const address = '127.0.0.1';
const log = quiet;

export function createManager({ folder, faults }: { folder: string; faults: Faults }): Manager {
  let open: Awaited<ReturnType<typeof openParts>> | undefined;
  const opened = () => {
    if (!open) throw new Error('the manager is down');
    return open;
  };
  return {
    start: async () => {
      open = await openParts(folder, faults);
    },
    stop: async () => {
      const { running } = opened();
      open = undefined;
      await running.stop();
    },
    isUp: () => open !== undefined,
    store: () => opened().store,
    pki: () => opened().pki,
    port: (of) => open?.[of].port(),
  };
}

/** As manager.ts does it, without what only people need. */
async function openParts(folder: string, faults: Faults) {
  const keys = join(folder, 'pki');
  await initPki({ folder: keys, clock });
  const store = await openStore({ file: join(folder, 'store.sqlite'), rules, clock, log, create: true });
  const pki = await createPki({ folder: keys, address, clock, log });
  const { events, observed, broker, publisher, machines } = wire(store, pki, faults);
  const running: Running = await startAll(
    [
      { name: 'store', start: async () => store.close },
      { name: 'events', start: async () => events.start() },
      { name: 'broker', start: broker.start },
      { name: 'observed', start: async () => observed.start() },
      { name: 'publisher', start: publisher.start },
      { name: 'machines', start: machines.start },
      { name: 'doors', start: broker.listen },
    ],
    { clock, log },
  );
  return { store, pki, broker, machines, running };
}

const unheard = {
  answer: () => undefined,
  traffic: () => undefined,
  output: () => undefined,
  gone: () => undefined,
};

function wire(store: Store, pki: Pki, faults: Faults) {
  const { cluster } = store.meta();
  const world = worldOf(store);
  const events = createEvents({ store, log });
  const observed = createObserved({ clock, emit: events.emit, headsOf: world.headsOf });
  const peers = createPeers({ lookup: world.peer, removed: () => false, refused: () => undefined, clock });
  const broker = createBroker({
    listen: { address, port: 0 },
    tls: pki.credentials,
    peers: { ...peers, current: (node) => (faults.isDeaf(node) ? null : peers.current(node)) },
    admitBox: () => undefined,
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
      ...unheard,
    },
    refused: () => undefined,
    clock,
    log,
  });
  const publish = faults.publish(broker.publish);
  const { seal } = pki;
  const publisher = createPublisher({
    cluster,
    store: faults.store(store),
    publish,
    clear: broker.clear,
    seal,
    clock,
    log,
  });
  const missed = createMissed({ headsOf: world.headsOf, again: publisher.again });
  const machines = createMachines({
    cluster,
    store,
    seal,
    listen: { address, port: 0 },
    tls: pki.credentials,
    peers,
    refused: () => undefined,
    renew: (node, csr) => pki.issueNode(node, csr),
    leave: () => Promise.reject(new Error('nobody leaves')),
    queue: () => Promise.reject(new Error('nothing is queued')),
    held: () => store.meta().mode === 'held',
    log,
  });
  return { events, observed, broker, publisher, machines };
}
