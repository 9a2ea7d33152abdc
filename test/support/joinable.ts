/** A manager that boxes can join, with everything real: the store, the authority, the doors for boxes and for nodes. */
import { join as pathOf } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { createMachines } from '../../manager/machines/server.ts';
import { createPeers } from '../../manager/pki/peers.ts';
import { createPki, initPki, type Pki } from '../../manager/pki/pki.ts';
import type { Facts } from '../../protocol/messages.ts';
import type { ManualClock } from './clock.ts';
import { quiet, temporaryFolder } from './courier.ts';
import { startJoinDoor } from './join-door.ts';

export const facts: Facts = {
  hostname: 'box',
  os: 'Debian 12',
  arch: 'x64',
  agent: '0.1.0',
  protocol: 1,
  address: '192.0.2.11',
  paths: { state: '/srv/state', run: '/srv/run', log: '/srv/log' },
};

/** No two boxes have one address. */
export const factsOf = (name: string): Facts => ({ ...facts, address: `192.0.2.1${name.at(-1)}` });

/** The manager's doors with everything real; short-lived certificates where a test wants to see them end. */
export async function openManager(lifetime?: number, clock: ManualClock | typeof systemClock = systemClock) {
  const { folder, remove } = await temporaryFolder();
  await initPki({ folder: pathOf(folder, 'pki'), clock });
  const options = { folder: pathOf(folder, 'pki'), address: '127.0.0.1', clock, log: quiet };
  const pki: Pki = await createPki(lifetime === undefined ? options : { ...options, lifetime });
  const refused: string[] = [];
  const peers = createPeers({
    lookup: (node) => {
      const spec = door.store.view().Node.get(node)?.spec;
      return spec ? { roles: spec.roles, keyFingerprint: spec.identity?.key } : null;
    },
    removed: (node, key) => door.store.certificates.latest(node)?.key === key,
    refused: (_node, { code }) => refused.push(code),
    network: () => door.store.view().Cluster.get('cluster')?.spec.networks?.cluster,
    clock,
  });
  const machines = createMachines({
    cluster: 'unused',
    store: { head: () => undefined, changes: () => Promise.reject(new Error('unused')) },
    seal: pki.seal,
    listen: { address: '127.0.0.1', port: 0 },
    tls: pki.credentials,
    peers,
    refused: () => undefined,
    renew: (node, csr) => door.join.renew(node, csr),
    leave: (node) => door.join.leave(node),
    queue: () => Promise.reject(new Error('nothing is queued')),
    held: () => false,
    log: quiet,
  });
  const stopMachines = await machines.start();
  const file = pathOf(folder, 'store.sqlite');
  const door = await startJoinDoor({ file, pki, machinesPort: machines.port(), clock });
  return {
    ...door,
    folder,
    pki,
    peers,
    refusedPeers: refused,
    box: (name: string) => pathOf(folder, name, 'identity'),
    invite: async (body: object = {}) =>
      (await door.join.invite({ roles: [], parameters: {}, hours: 24, approve: false, ...body }, 'token:op'))
        .join,
    node: async (name: string) => (await door.store.get('Node', name))?.spec,
    stop: async () => {
      await door.stop();
      await stopMachines();
      await remove();
    },
  };
}
export type Manager = Awaited<ReturnType<typeof openManager>>;
