/** A manager of its own with many nodes that have joined: made in a folder, then run by the bundle that ships. */

import { createPublicKey } from 'node:crypto';
import { join } from 'node:path';
import { newKey } from '../../agent/identity/csr.ts';
import { choosePorts } from '../../cli/sandbox/ports.ts';
import { keyFingerprint, LIFETIME } from '../../common/certificates.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { placesOf } from '../../manager/config.ts';
import { rules } from '../../manager/desired/rules.ts';
import { readAuthorities } from '../../manager/pki/authorities.ts';
import { createPki } from '../../manager/pki/pki.ts';
import { issue } from '../../manager/pki/x509.ts';
import { init } from '../../manager/setup/init.ts';
import { openStore } from '../../manager/store/open.ts';
import type { HeadBasis } from '../../manager/store/store.ts';
import { parseResource, type Resource, type ResourceOf } from '../../protocol/resource.ts';
import { type Running, runBundle } from '../bundle.ts';
import type { Credential } from '../floors/handshakes.ts';

export const ADDRESS = '127.0.0.1';

/** A node as an emulated agent needs it. */
export interface Member {
  node: ResourceOf<'Node'>;
  certificate: string;
}

export interface Cluster {
  data: string;
  /** The id of the cluster, and what its signatures are checked with, PEM. */
  id: string;
  signingKey: string;
  ports: { api: number; machines: number; broker: number; fallback: number };
  token: string;
  /** One key for all members: what a handshake costs does not depend on whose it is. */
  key: string;
  ca: string;
  members: Member[];
  /** Where every scope stood when it was made. */
  heads: HeadBasis[];
  /** For a plain TLS server beside the manager. */
  server: Credential;
}

interface Wanted {
  folder: string;
  members: number;
  /** By the number of the member. */
  roles?: (index: number) => string[];
  resources: Resource[];
}

/** Joins in bulk: what the API does for one box at a time, without the waiting. */
export async function makeCluster({
  folder,
  members,
  roles = () => ['web'],
  resources,
}: Wanted): Promise<Cluster> {
  const data = join(folder, 'manager');
  const { data: _, ...made } = await found(data);
  const log = createLog('bench', 'silent');
  const pki = await createPki({ folder: placesOf(data).pki, address: ADDRESS, clock: systemClock, log });
  const key = await newKey();
  const joined = await joinAll(data, key, members, roles);
  const store = await openStore({ file: placesOf(data).store, rules, clock: systemClock, log });
  try {
    const edits = [...joined.map(({ node }) => node), ...resources].map((resource, at) => ({
      op: 'put' as const,
      resource,
      where: `documents/${at}`,
    }));
    await store.write({ actor: 'bench', edits });
    const { signingKey } = pki;
    const server = pki.credentials.current();
    return {
      data,
      id: store.meta().cluster,
      ...made,
      signingKey,
      key,
      ca: pki.bundle(),
      members: joined,
      heads: store.heads(),
      server,
    };
  } finally {
    await store.close();
  }
}

async function found(data: string) {
  const own = [ADDRESS];
  const ports = await choosePorts({ api: own, machines: own, broker: own, fallback: own });
  const { token } = await init(
    {
      data,
      content: process.cwd(),
      address: ADDRESS,
      balancer: 'haproxy',
      apiPort: ports.api,
      machinesPort: ports.machines,
      brokerPort: ports.broker,
      fallbackPort: ports.fallback,
    },
    systemClock,
  );
  return { data, ports, token };
}

/** Certificates for all, by the authority itself: requests for them would only be signed and verified by ourselves. */
async function joinAll(
  data: string,
  key: string,
  count: number,
  roles: (index: number) => string[],
): Promise<Member[]> {
  const [authority] = await readAuthorities(placesOf(data).pki);
  if (!authority) throw new Error('the manager has no authority');
  const open = createPublicKey(key);
  const signing = { authority, spki: open.export({ type: 'spki', format: 'der' }), use: 'client' as const };
  const members: Member[] = [];
  for (let index = 0; index < count; index += 1) {
    const node = nodeOf(index, keyFingerprint(open), roles(index));
    const certificate = await issue({
      ...signing,
      commonName: node.name,
      now: Date.now(),
      lifetime: LIFETIME,
    });
    members.push({ node, certificate });
  }
  return members;
}

export const memberName = (index: number): string => `web${String(index).padStart(4, '0')}`;

/** Each has an address of its own in the loopback network. */
export const memberAddress = (index: number): string =>
  `127.1.${Math.floor(index / 250)}.${(index % 250) + 1}`;

function nodeOf(index: number, key: string, roles: string[]): ResourceOf<'Node'> {
  const identity = { key, joined: '2026-01-01T00:00:00Z' };
  const spec = { roles, address: memberAddress(index), identity };
  const parsed = parseResource({ kind: 'Node', name: memberName(index), spec });
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message);
  return parsed.resource as ResourceOf<'Node'>;
}

/** What a client of a floor shows: the first member's certificate, since a handshake costs the same for each. */
export const credentialOf = ({ key, ca, members }: Cluster): Credential => ({
  key,
  ca,
  cert: members[0]?.certificate ?? '',
});

/** Its log lies in the data folder. */
export const runManager = ({ data }: Cluster): Running =>
  runBundle('manager', ['run', '--data', data], join(data, 'manager.log'));
