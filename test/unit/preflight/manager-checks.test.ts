/** Every check that the manager makes of a box, by what it says of itself and by what is declared. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VERSION } from '../../../common/version.ts';
import type { View } from '../../../common/view.ts';
import { needsOf } from '../../../manager/preflight/needs.ts';
import type { Judging } from '../../../manager/preflight/subject.ts';
import { createPreflight, judgedBy } from '../../../manager/preflight.ts';
import { loadShipped } from '../../../manager/shipped.ts';
import { parseResource, type Resource } from '../../../protocol/resource.ts';
import { createManualClock } from '../../support/clock.ts';

const NOW = 1_790_000_000_000;
const DAY = 86_400_000;

const CLUSTER = { kind: 'Cluster', name: 'cluster', spec: { address: '10.0.0.1', balancer: 'lvs' } };
const node = (name: string, address: string, more: object = {}) => ({
  kind: 'Node',
  name,
  spec: { roles: ['web'], address, ...more },
});
const service = (vip: string, more: object = {}) => ({
  kind: 'VirtualService',
  name: 'web',
  spec: { vip, ports: [80], pool: { role: 'web', check: 'http' }, ...more },
});
const director = node('lb1', '10.0.0.2', { roles: ['balancer'] });

/** A view of these documents and no others. */
function viewOf(documents: object[], shipped: Resource[] = []): View {
  const parsed = documents.map((document) => {
    const one = parseResource(document);
    if (!one.ok) throw new Error(JSON.stringify(one.problems));
    return one.resource;
  });
  const of = (kind: string) =>
    new Map([...shipped, ...parsed].filter((one) => one.kind === kind).map((one) => [one.name, one]));
  const kinds = ['Node', 'Cluster', 'VirtualService', 'Storage', 'Policy', 'Template', 'Site'];
  return Object.fromEntries(kinds.map((kind) => [kind, of(kind)])) as unknown as View;
}

const BOX = {
  os: { id: 'debian', version: '12', family: 'debian' as const },
  arch: 'x64',
  addresses: [{ device: 'eth0', address: '10.0.0.13', prefix: 24 }],
  clock: NOW,
};
const FACTS = { address: '10.0.0.13', agent: VERSION, protocol: 1, arch: 'x64', box: BOX };

interface Given extends Partial<Omit<Judging, 'facts'>> {
  facts?: object;
  box?: object;
  documents?: object[];
}

const judging = ({ facts, box, documents = [], ...more }: Given = {}): Judging => ({
  ...{ name: 'web1', roles: ['web'], parameters: {}, now: NOW, serves: undefined },
  view: viewOf([CLUSTER, ...documents]),
  facts: { ...FACTS, box: { ...BOX, ...box }, ...facts },
  ...more,
});

const far = { addresses: [{ device: 'eth0', address: '192.168.7.13', prefix: 24 }] };
const FAR = { facts: { address: '192.168.7.13' }, box: far };

const cases: [title: string, name: string, state: string, found: RegExp, Given][] = [
  [
    'the same system',
    'os',
    'pass',
    /debian 12/,
    { documents: [node('web2', '10.0.0.14', { system: { os: 'debian 12', arch: 'x64' } })] },
  ],
  [
    'another point release',
    'os',
    'pass',
    /rocky 9\.4/,
    {
      box: { os: { id: 'rocky', version: '9.4', family: 'rhel' } },
      documents: [node('web2', '10.0.0.14', { system: { os: 'rocky 9.3', arch: 'x64' } })],
    },
  ],
  [
    'another release',
    'os',
    'warn',
    /debian 12, and 1 of the nodes another one \(web2: debian 11\)/,
    { documents: [node('web2', '10.0.0.14', { system: { os: 'debian 11', arch: 'x64' } })] },
  ],
  ['the processor that is served', 'arch', 'pass', /x64/, { serves: 'x64' }],
  [
    'a processor for which nothing is served',
    'arch',
    'fail',
    /arm64; this manager serves the agent for x64/,
    { serves: 'x64', facts: { arch: 'arm64' } },
  ],
  [
    'another processor than the others',
    'arch',
    'warn',
    /arm64, and web2 has x64/,
    {
      facts: { arch: 'arm64' },
      documents: [node('web2', '10.0.0.14', { system: { os: 'debian 12', arch: 'x64' } })],
    },
  ],
  ['the same version', 'version', 'pass', /protocol 1/, {}],
  [
    'another version',
    'version',
    'warn',
    /agent 99\.0\.0, protocol 1; the manager is/,
    { facts: { agent: '99.0.0' } },
  ],
  [
    'a protocol to come',
    'version',
    'fail',
    /protocol 7; this manager .* speaks 1 to 1/,
    { facts: { protocol: 7 } },
  ],
  ['a clock that is right', 'clock', 'pass', /within 2 s/, { box: { clock: NOW - 1_900 } }],
  ['a clock that is some seconds wrong', 'clock', 'warn', /^3\.2 s behind/, { box: { clock: NOW - 3_200 } }],
  [
    'a clock behind the certificate',
    'clock',
    'fail',
    /^49 h behind/,
    { box: { clock: NOW - 49 * 3_600_000 } },
  ],
  ['a clock ahead of its renewal', 'clock', 'fail', /^384 h ahead of/, { box: { clock: NOW + 16 * DAY } }],
  ['an address that is free', 'addresses', 'pass', /is nobody else’s/, {}],
  [
    'its own address, once it is a node',
    'addresses',
    'pass',
    /is nobody else’s/,
    { documents: [node('web1', '10.0.0.13')] },
  ],
  [
    'the address of another node',
    'addresses',
    'fail',
    /10\.0\.0\.13 is that of the node web2/,
    { documents: [node('web2', '10.0.0.13')] },
  ],
  [
    'the address of a virtual service',
    'addresses',
    'fail',
    /that of the virtual service web/,
    { documents: [service('10.0.0.13')] },
  ],
  [
    ...([
      'the same where HAProxy answers at the address of its box',
      'addresses',
      'pass',
      /is nobody else’s/,
    ] as const),
    {
      roles: ['balancer'],
      view: viewOf([{ ...CLUSTER, spec: { ...CLUSTER.spec, balancer: 'haproxy' } }, service('10.0.0.13')]),
    },
  ],
  [
    'loopback',
    'addresses',
    'fail',
    /127\.0\.0\.1 is reached by the box itself/,
    { facts: { address: '127.0.0.1' } },
  ],
  [
    'a director without an address for visitors',
    'addresses',
    'warn',
    /10\.0\.0\.1 and 10\.0\.0\.13, and no virtual service/,
    { roles: ['balancer'] },
  ],
  [
    'a director with one',
    'addresses',
    'pass',
    /is nobody else’s/,
    { roles: ['balancer'], documents: [service('10.0.0.100')] },
  ],
  [
    'the segment of its director',
    'segment',
    'pass',
    /without a router/,
    { documents: [director, service('10.0.0.100')] },
  ],
  [
    'DR through a router',
    'segment',
    'fail',
    /a router is between it and lb1 \(10\.0\.0\.2\)/,
    { ...FAR, documents: [director, service('10.0.0.100')] },
  ],
  [
    'NAT through a router',
    'segment',
    'fail',
    /lb1/,
    { ...FAR, documents: [director, service('10.0.0.100', { forwarding: 'NAT' })] },
  ],
  [
    'TUN through a router',
    'segment',
    'warn',
    /a router is between it and the manager/,
    { ...FAR, documents: [director, service('10.0.0.100', { forwarding: 'TUN' })] },
  ],
  [
    'a director away from its members',
    'segment',
    'fail',
    /web2 \(10\.0\.0\.14\)/,
    {
      ...FAR,
      name: 'lb9',
      roles: ['balancer'],
      documents: [node('web2', '10.0.0.14'), service('10.0.0.100')],
    },
  ],
  [
    'outside the declared network',
    'segment',
    'fail',
    /is not in the cluster network 10\.0\.0\.0\/24/,
    {
      ...FAR,
      view: viewOf([{ ...CLUSTER, spec: { ...CLUSTER.spec, networks: { cluster: '10.0.0.0/24' } } }]),
    },
  ],
  [
    'a router, which HAProxy does not mind',
    'segment',
    'pass',
    /haproxy does not mind/,
    { ...FAR, view: viewOf([{ ...CLUSTER, spec: { ...CLUSTER.spec, balancer: 'haproxy' } }]) },
  ],
];

describe('[4.3] a check by the manager', () => {
  it.each(cases)('%s: %s is %s', (_, name, state, found, given) => {
    const finding = judgedBy(judging(given)).find((one) => one.name === name)!;
    expect(finding).toMatchObject({ state, found: expect.stringMatching(found) });
    if (state === 'warn' || state === 'fail')
      expect(finding).toMatchObject({ why: expect.any(String), fix: expect.any(String) });
  });

  it('leaves out what an older agent does not say', () => {
    const { facts } = judging();
    const states = judgedBy({ ...judging(), facts: { ...facts, box: undefined } });
    const skipped = states.filter(({ state }) => state === 'skip').map(({ name }) => name);
    expect(skipped).toEqual(['os', 'clock', 'segment']);
  });
});

describe('[4.3] ports-in', () => {
  const ask = async (
    asks: { from: string; listens?: number },
    shut: string | null = null,
    health?: number,
  ) => {
    const knocked: string[] = [];
    const reach = async (address: string, port: number) => {
      knocked.push(`${address}:${port}`);
      return shut;
    };
    const spec = { ...CLUSTER.spec, ...(health === undefined ? {} : { health: { port: health } }) };
    const view = viewOf([{ ...CLUSTER, spec }]);
    const ports = { machines: 2400, broker: 8883 };
    const preflight = createPreflight({ view: () => view, ports, clock: createManualClock(NOW), reach });
    const { checks, ports: told } = await preflight.verdict(judging(), asks);
    return { knocked, told, finding: checks.find(({ name }) => name === 'ports-in') };
  };

  it('passes when the manager gets through, and fails with the reason when it does not', async () => {
    const from = '::ffff:10.0.0.13';
    const open = await ask({ from, listens: 2401 });
    expect(open).toMatchObject({ finding: { state: 'pass' }, knocked: ['10.0.0.13:2401'] });
    const shut = await ask({ from, listens: 2401 }, 'nothing within 2 s');
    expect(shut.finding).toMatchObject({
      state: 'fail',
      found: expect.stringContaining('nothing within 2 s'),
    });
  });

  it('knocks at the address that asks and at the health port alone, and says honestly what it did not try', async () => {
    for (const asks of [
      { from: '10.0.0.77', listens: 2401 },
      { from: '10.0.0.13', listens: 22 },
      { from: '10.0.0.13' },
    ])
      expect(await ask(asks)).toMatchObject({ finding: { state: 'skip' }, knocked: [] });
    expect(await ask({ from: '10.0.0.13', listens: 2401 }, null, 2501)).toMatchObject({
      ...{ finding: { state: 'skip' }, knocked: [], told: { health: 2501 } },
    });
  });
});

describe('[4.3] needs', () => {
  it('are those of the shipped policies of the roles, by family, and of what is declared', async () => {
    const shipped = await loadShipped(join(import.meta.dirname, '../../..'));
    const storage = {
      ...{ kind: 'Storage', name: 'home' },
      spec: {
        server: { node: 'web1' },
        export: '/data/home',
        mountpoint: '/chroot/home',
        quotas: { ana: { soft: '1g', hard: '2g' } },
      },
    };
    const view = viewOf([CLUSTER, service('10.0.0.100'), storage], shipped);
    const needs = needsOf(judging({ roles: ['web', 'storage', 'balancer'] }), view);
    expect(needs.packages.debian).toEqual(
      expect.arrayContaining(['keepalived', 'nfs-common', 'nfs-kernel-server', 'nginx', 'quota']),
    );
    expect(needs.packages.rhel).toEqual(
      expect.arrayContaining(['keepalived', 'nfs-utils', 'nginx', 'quota']),
    );
    expect(needs.modules).toEqual(['ip_vs', 'nfsd', 'nfsv4']);
    expect(needs.ports).toEqual([80, 443].map((port) => ({ address: '*', port, unit: 'web-nginx' })));
    expect(needs.storages).toEqual([
      { name: 'home', server: 'web1', mountpoint: '/chroot/home', export: '/data/home', quotas: true },
    ]);
    expect(needs.vips).toEqual(['10.0.0.100']);
    expect(needsOf(judging({ roles: [] }), view)).toMatchObject({
      modules: [],
      ports: [],
      storages: [],
      vips: [],
    });
  });
});
