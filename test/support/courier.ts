/** The manager's side of the link with real parts: authority, broker and machines server on loopback, over a journal in memory. */
import { createPublicKey } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newKey, requestFor } from '../../agent/identity/csr.ts';
import { bearerOf, parseCertificate } from '../../common/certificates.ts';
import { type Clock, systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { type Broker, createBroker } from '../../manager/broker/broker.ts';
import type { Handlers } from '../../manager/broker/inbound.ts';
import { createPublisher, type Publisher } from '../../manager/desired/publish.ts';
import { createMachines } from '../../manager/machines/server.ts';
import { createPeers, type PeerRecord } from '../../manager/pki/peers.ts';
import { createPki, initPki, type Pki } from '../../manager/pki/pki.ts';
import type { Report, Status } from '../../protocol/messages.ts';
import { createJournal } from './journal.ts';

export const quiet = createLog('test', process.env.TEST_LOG ?? 'silent');

/** A folder of its own for one test, gone afterwards. */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'evenkeel-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export async function createAuthority(folder: string, clock: Clock = systemClock, lifetime?: number) {
  await initPki({ folder, clock });
  const options = { folder, address: '127.0.0.1', clock, log: quiet };
  return createPki(lifetime === undefined ? options : { ...options, lifetime });
}

const address = '127.0.0.1';

function createRecords(heard: ReturnType<typeof createHeard>) {
  const records = new Map<string, PeerRecord>();
  /** Keys of nodes that were removed. */
  const once = new Map<string, string>();
  const peers = createPeers({
    lookup: (node) => records.get(node) ?? null,
    removed: (node, key) => once.get(node) === key,
    refused: (node, { code }) => heard.refused.push({ node, code }),
    clock: systemClock,
  });
  const remove = (node: string) => {
    const key = records.get(node)?.keyFingerprint;
    if (key !== undefined) once.set(node, key);
    records.delete(node);
  };
  return { records, peers, remove };
}

interface Enrolling {
  pki: Pki;
  records: Map<string, PeerRecord>;
  cluster: string;
  ports: { machines: number; broker: number };
}

async function enrol(node: string, roles: string[], { pki, records, cluster, ports }: Enrolling) {
  const key = await newKey();
  const { certificate, ca } = await pki.issueNode(node, await requestFor(node, key));
  records.set(node, { roles, keyFingerprint: bearerOf(parseCertificate(certificate)).key });
  const signingKey = createPublicKey(pki.signingKey);
  return { node, cluster, address, ports, signingKey, current: () => ({ key, cert: certificate, ca }) };
}

export type Courier = Awaited<ReturnType<typeof startCourier>>;

/** What nodes said, as a test reads it. */
const createHeard = () => ({
  reports: [] as { node: string; report: Report }[],
  statuses: [] as { node: string; status: Status }[],
  beats: [] as string[],
  gone: [] as string[],
  refused: [] as { node: string; code: string }[],
  handshakes: [] as string[],
});

/** Handlers that write down what they are told. */
const listen = (heard: ReturnType<typeof createHeard>, publisher: () => Publisher): Handlers => ({
  status: (node, status) => {
    heard.statuses.push({ node, status });
    publisher().noticed(node, status);
  },
  beat: (node) => void heard.beats.push(node),
  report: async (node, report) => void heard.reports.push({ node, report }),
  answer: () => undefined,
  traffic: () => undefined,
  output: () => undefined,
  gone: (node) => void heard.gone.push(node),
});

/** Broker and publisher, which stop and start again on one port as they do with a manager: the broker remembers nothing. */
async function createDoors(make: (port: number) => Broker, publisher: () => Publisher) {
  let broker = make(0);
  let undo: (() => Promise<void> | void)[] = [];
  const start = async () => {
    undo = [await broker.start(), await publisher().start(), await broker.listen()];
  };
  const stop = async () => {
    for (const close of undo.reverse()) await close();
    undo = [];
  };
  return {
    broker: () => broker,
    start,
    stop,
    startAgain: async (port: number) => {
      broker = make(port);
      await start();
    },
  };
}

export async function startCourier(
  overrides: Partial<Handlers> = {},
  limits?: { connectMs: number; connections: number },
) {
  const { folder, remove } = await temporaryFolder();
  const pki = await createAuthority(join(folder, 'pki'));
  const journal = createJournal();
  const heard = createHeard();
  const { records, peers, remove: removed } = createRecords(heard);
  const handlers = { ...listen(heard, () => publisher), ...overrides };
  const refused = (from: string) => heard.handshakes.push(from);
  const admitBox = () => undefined;
  const common = { refused, admitBox, tls: pki.credentials, peers, clock: systemClock, log: quiet };
  const doors = await createDoors(
    (port) => createBroker({ ...common, listen: { address, port }, handlers, ...(limits && { limits }) }),
    () => publisher,
  );
  const publisher = createPublisher({
    ...{ cluster: journal.cluster, store: journal, seal: pki.seal, clock: systemClock, log: quiet },
    publish: (topic, message) => doors.broker().publish(topic, message),
    clear: (topic) => doors.broker().clear(topic),
  });
  const machines = createMachines({
    ...{ ...common, cluster: journal.cluster, store: journal, seal: pki.seal },
    listen: { address, port: 0 },
    renew: (node, csr) => pki.issueNode(node, csr, records.get(node)?.keyFingerprint),
    leave: async (node) => removed(node),
    queue: () => Promise.reject(new Error('nothing is queued')),
    held: () => journal.meta().mode === 'held',
  });
  const stopMachines = await machines.start();
  await doors.start();
  const ports = { machines: machines.port(), broker: doors.broker().port() };
  return {
    folder,
    pki,
    journal,
    heard,
    publisher,
    ports,
    broker: doors.broker,
    stopBroker: doors.stop,
    startBroker: () => doors.startAgain(ports.broker),
    /** Makes a node that has joined: its record here, its key and certificate for its own use. */
    enrol: (node: string, roles: string[]) =>
      enrol(node, roles, { pki, records, cluster: journal.cluster, ports }),
    setRoles: (node: string, roles: string[]) =>
      records.set(node, { roles, keyFingerprint: records.get(node)?.keyFingerprint }),
    removeNode: async (node: string) => {
      removed(node);
      await doors.broker().forget(node);
    },
    stop: async () => {
      await doors.stop();
      await stopMachines();
      await remove();
    },
  };
}

export type Enrolled = Awaited<ReturnType<Courier['enrol']>>;
