/** Answers of a setup and what is declared by them: layouts, the door, the way back, and how it looks. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import {
  type Answers,
  EXAMPLE,
  isComplete,
  merged,
  missingIn,
  readAnswers,
  type SharedStorage,
} from '../../../cli/setup/answers.ts';
import { answersIn, documentsOf, type Known } from '../../../cli/setup/documents.ts';
import { answersOfFlags, nodeFlag } from '../../../cli/setup/flags.ts';
import { drawing, roleTable } from '../../../cli/setup/look.ts';
import { staysOf, staysText } from '../../../cli/setup/stays.ts';
import { parseResource, type Resource } from '../../../protocol/resource.ts';

const example = (): Answers => {
  const read = readAnswers(parse(EXAMPLE));
  if (!read.ok || !isComplete(read.answers)) throw new Error(JSON.stringify(read));
  return read.answers;
};

const resource = (document: unknown): Resource => {
  const parsed = parseResource(document);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource;
};

type Service = Known['services'][number];

/** What is declared once these documents are applied to what was. */
function applied(answers: Answers, before: Known): Known {
  const all = documentsOf(answers, before).map(({ document }) => resource(document));
  const of = <K extends Resource['kind']>(kind: K, known: Extract<Resource, { kind: K }>[]) => {
    const own = all.filter((one) => one.kind === kind) as Extract<Resource, { kind: K }>[];
    return [...known.filter(({ name }) => !own.some((one) => one.name === name)), ...own];
  };
  return {
    cluster: of('Cluster', [])[0] as Known['cluster'],
    nodes: of('Node', before.nodes),
    services: of('VirtualService', before.services),
    storages: of('Storage', before.storages),
  };
}

const bare: Known = {
  cluster: resource({
    kind: 'Cluster',
    name: 'cluster',
    spec: { address: '10.0.0.1', balancer: 'haproxy', fallback: { port: 2999 } },
  }) as Known['cluster'],
  ...{ nodes: [], services: [], storages: [] },
};

const layouts: [string, (answers: Answers) => Answers, object][] = [
  [
    'one network, LVS, storage on a node',
    (answers) => answers,
    {
      'Cluster/cluster': { balancer: 'lvs', networks: { cluster: '10.0.0.0/24' } },
      'Node/lb1': { roles: ['balancer'], parameters: { vrrpInterface: 'eth0' } },
      'Node/web1': { address: '10.0.0.11', roles: ['web'], parameters: {} },
      'Storage/home': { server: { node: 'files1' }, export: '/data/home', mountpoint: '/chroot/home' },
      'VirtualService/web': {
        ...{ vip: '10.0.0.100', ports: [{ port: 80, target: 80 }], protocol: 'http', forwarding: 'DR' },
        pool: { role: 'web', check: 'http', probe: { type: 'http', path: '/.evenkeel/alive' } },
      },
    },
  ],
  [
    'two networks, two directors, https',
    (answers) => ({
      ...answers,
      networks: { cluster: '10.0.0.0/24', public: '192.0.2.0/24' },
      balancer: { driver: 'lvs', forwarding: 'TUN', card: 'eth1', syncCard: 'eth0' },
      visitors: { vip: '192.0.2.10', http: 80, https: 443 },
    }),
    {
      'Cluster/cluster': { networks: { cluster: '10.0.0.0/24', public: '192.0.2.0/24' } },
      'Node/lb1': { parameters: { vrrpInterface: 'eth1', vrrpSyncInterface: 'eth0' } },
      'VirtualService/web': { vip: '192.0.2.10', forwarding: 'TUN' },
      'VirtualService/web-tls': {
        ...{ vip: '192.0.2.10', protocol: 'tcp', ports: [{ port: 443, target: 443 }], fallback: 'none' },
        pool: { check: 'http', probe: { type: 'tcp' } },
      },
    },
  ],
  [
    'HAProxy with other ports, a server of somebody else',
    (answers) => ({
      ...answers,
      balancer: { driver: 'haproxy', card: 'eth0' },
      visitors: { vip: '10.0.0.100', http: { port: 80, target: 8080 } },
      storage: { name: 'sites', server: '10.0.0.40', export: '/vol', mountpoint: '/srv', link: '/home' },
    }),
    {
      'Cluster/cluster': { balancer: 'haproxy' },
      'Node/lb1': { parameters: { vipInterface: 'eth0' } },
      'Storage/sites': { server: '10.0.0.40', link: '/home' },
      'VirtualService/web': { ports: [{ port: 80, target: 8080 }] },
    },
  ],
  [
    'a balancer of somebody else, no storage, and each box is looked at',
    (answers) => ({ ...answers, balancer: { driver: 'external' }, storage: 'none', approveJoins: true }),
    { 'Cluster/cluster': { balancer: 'external', approveJoins: true }, 'Node/lb1': { parameters: {} } },
  ],
];

describe('[4.2] answers and documents', () => {
  it.each(layouts)('%s: each answer is in its document', (_, change, expected) => {
    const planned = documentsOf(change(example()), bare).map(({ document }) => resource(document));
    const found = Object.fromEntries(planned.map(({ kind, name, spec }) => [`${kind}/${name}`, spec]));
    expect(found).toMatchObject(expected);
    expect(found['Cluster/cluster']).toMatchObject({ fallback: { port: 2999 } });
    const storage = change(example()).storage;
    expect(Object.keys(found).some((key) => key.startsWith('Storage/'))).toBe(storage !== 'none');
  });

  it.each(layouts)('%s: what is declared answers the questions, and declares nothing new', (_, change) => {
    const first = applied(change(example()), bare);
    const again = answersIn(first);
    expect(isComplete(again)).toBe(true);
    expect(applied(again as Answers, first)).toEqual(first);
  });

  it('what others have declared stays: weights, a check, options of a mount, a drain', () => {
    const first = applied(example(), bare);
    const service = structuredClone(first.services[0]) as Known['services'][number];
    service.spec.scheduler = 'sh';
    service.spec.weights = { web1: 7 };
    const node = structuredClone(first.nodes.find(({ name }) => name === 'web1')) as Known['nodes'][number];
    node.spec.weight = 3;
    node.spec.parameters = { workers: '4' };
    const known = { ...first, services: [service], nodes: [node] };
    const planned = documentsOf(example(), known).map(({ document }) => document);
    expect(planned.find(({ kind }) => kind === 'VirtualService')?.spec).toMatchObject({
      ...{ scheduler: 'sh', weights: { web1: 7 } },
    });
    expect(planned.find(({ name }) => name === 'web1')?.spec).toMatchObject({
      ...{ weight: 3, parameters: { workers: '4' } },
    });
    expect(planned.find(({ name }) => name === 'web1')?.spec).not.toHaveProperty('drain');
  });

  it('an answer that is as what is declared leaves of it what it does not say: ports, cards, addresses', () => {
    const asked: Answers = { ...example(), visitors: { vip: '10.0.0.100', http: 80, https: 443 } };
    const known = applied(asked, bare);
    const [web, tls] = structuredClone(known.services) as [Service, Service];
    web.spec.ports = [...web.spec.ports, { port: 8080, target: 8080 }];
    tls.spec.vip = '10.0.0.101';
    tls.spec.forwarding = 'TUN';
    const nodes = structuredClone(known.nodes);
    const director = nodes.find(({ name }) => name === 'web2') as Known['nodes'][number];
    director.spec = { ...director.spec, roles: ['web', 'balancer'], parameters: { vrrpInterface: 'eth7' } };
    const theirs = { ...known, nodes, services: [web, tls] };
    const again = { ...asked, nodes: answersIn(theirs).nodes ?? [] };
    expect(applied(again, theirs)).toEqual(theirs);
    const moved = applied({ ...again, visitors: { vip: '10.0.0.102', http: 80, https: 443 } }, theirs);
    expect(moved.services.map(({ spec }) => spec.vip)).toEqual(['10.0.0.102', '10.0.0.102']);
    expect(moved.services[0]?.spec.ports).toHaveLength(2);
    const cards = applied({ ...again, balancer: { driver: 'lvs', forwarding: 'DR', card: 'eth1' } }, theirs);
    const of = (name: string) => cards.nodes.find((one) => one.name === name)?.spec.parameters;
    expect([of('lb1'), of('web2')]).toEqual([{ vrrpInterface: 'eth1' }, { vrrpInterface: 'eth1' }]);
  });

  it('a field of a document is named by the answer behind it', () => {
    const planned = documentsOf(example(), bare);
    const answerTo = (key: string, path: string) =>
      planned.find(({ document: { kind, name } }) => `${kind}/${name}` === key)?.answer(path);
    expect(answerTo('VirtualService/web', 'spec/vip')).toBe('visitors/vip');
    expect(answerTo('VirtualService/web', 'spec/ports/0')).toBe('visitors/http');
    expect(answerTo('Node/web1', 'spec/address')).toBe('nodes/1/address');
    expect(answerTo('Node/lb1', 'spec/parameters/vrrpInterface')).toBe('balancer/card');
    expect(answerTo('Cluster/cluster', 'spec/networks/cluster')).toBe('networks/cluster');
    expect(answerTo('Storage/home', 'spec/server/node')).toBe('storage/server/node');
  });
});

describe('[4.2] the door of the answers', () => {
  const problemsOf = (input: unknown) => {
    const read = readAnswers(input);
    return read.ok ? [] : read.problems;
  };

  it('names field, value and fix of each thing that is wrong', () => {
    const problems = problemsOf({ ...example(), address: '10.0.0', vipp: 1, visitors: { vip: 'x' } });
    expect(problems.map(({ path }) => path).sort()).toEqual(['address', 'vipp', 'visitors/vip']);
    for (const { code } of problems) expect(code).toBe('invalid-document');
    expect(problems.find(({ path }) => path === 'address')).toMatchObject({
      ...{ value: '"10.0.0"', fix: 'use four numbers from 0 to 255 with dots between' },
    });
  });

  it('refuses a node that stands twice, and takes nothing for an answer that is not there', () => {
    const [first] = example().nodes;
    expect(problemsOf({ nodes: [first, first] })).toMatchObject([{ path: 'nodes/1/name', value: 'lb1' }]);
    expect(problemsOf({})).toEqual([]);
    expect(missingIn({}).map(({ path }) => path)).toEqual([
      ...['address', 'networks', 'nodes', 'balancer', 'visitors', 'storage', 'approveJoins'],
    ]);
    expect(missingIn(example())).toEqual([]);
  });

  it('flags say the same as a file, and only together what means nothing alone', () => {
    const node = nodeFlag('web1:10.0.0.11:web,mail', []);
    const flags = answersOfFlags({
      ...{ address: '10.0.0.1', network: '10.0.0.0/24', node, balancer: 'lvs', vip: '10.0.0.100' },
      ...{ http: '80:8080', storage: 'node:files1:/data', mountpoint: '/srv', approveJoins: false },
    });
    expect(readAnswers(flags)).toMatchObject({
      ok: true,
      answers: {
        nodes: [{ name: 'web1', roles: ['web', 'mail'] }],
        visitors: { http: { port: 80, target: 8080 } },
        storage: { name: 'home', server: { node: 'files1' }, mountpoint: '/srv' },
      },
    });
    expect(() => answersOfFlags({ node: [], card: 'eth0' })).toThrow(
      '--card says nothing without --balancer',
    );
    expect(() => nodeFlag('web1', [])).toThrow('NAME:ADDRESS:ROLE');
    const both = merged(example(), readAnswersOf(flags));
    expect(both.nodes?.map(({ name }) => name)).toEqual(['lb1', 'web1', 'web2', 'files1']);
    expect(both.nodes?.[1]?.roles).toEqual(['web', 'mail']);
  });
});

function shared({ storage }: Answers): SharedStorage {
  if (storage === 'none') throw new Error('there is none');
  return storage;
}

function readAnswersOf(input: unknown): Partial<Answers> {
  const read = readAnswers(input);
  return read.ok ? read.answers : {};
}

describe('[4.2] the summary', () => {
  it('has a column for each role, and says who will be invited', () => {
    const { headers, rows } = roleTable(example(), new Set(['lb1']));
    expect(headers).toEqual(['NODE', 'ADDRESS', 'BALANCER', 'STORAGE', 'WEB', 'STANDS']);
    expect(rows[0]).toEqual(['lb1', '10.0.0.10', 'x', '', '', 'has joined']);
    expect(rows[1]?.at(-1)).toMatchObject({ text: 'will be invited' });
  });

  it('draws and names what stays declared though the answers do not have it', () => {
    const before: Answers = { ...example(), visitors: { vip: '10.0.0.100', http: 80, https: 443 } };
    const known = applied({ ...before, storage: { ...shared(before), link: '/home' } }, bare);
    const less: Answers = {
      ...before,
      nodes: before.nodes.filter(({ name }) => name !== 'web2'),
      ...{ storage: 'none', visitors: { vip: '10.0.0.102', http: 80 } },
    };
    const stays = staysOf(less, known);
    expect(staysText(stays)).toEqual([
      'stays declared: Node/web2, Storage/home, VirtualService/web-tls; evenkeel node remove and evenkeel delete would take it away',
    ]);
    expect(roleTable(less, new Set(), stays).rows.at(-1)).toEqual([
      ...['web2', '10.0.0.12', '', '', 'x', 'stays as it is'],
    ]);
    expect(drawing(less, stays)).toBe(
      [
        'one network 10.0.0.0/24',
        'visitors ── 10.0.0.102:80 and 10.0.0.100:443 ── lb1 (lvs DR) ─┬─ web1 10.0.0.11',
        '                                                              └─ web2 10.0.0.12',
        'manager at 10.0.0.1',
        'storage files1 10.0.0.20:/data/home at /chroot/home, with a link from /home',
      ].join('\n'),
    );
    expect(drawing(before, staysOf(before, known))).toContain('with a link from /home');
    expect(staysText(staysOf(before, known))).toEqual([]);
  });

  it('draws the way from visitors to the nodes', () => {
    expect(drawing(example())).toBe(
      [
        'one network 10.0.0.0/24',
        'visitors ── 10.0.0.100:80 ── lb1 (lvs DR) ─┬─ web1 10.0.0.11',
        '                                           └─ web2 10.0.0.12',
        'manager at 10.0.0.1',
        'storage files1 10.0.0.20:/data/home at /chroot/home',
      ].join('\n'),
    );
    const alone = {
      ...example(),
      nodes: [],
      balancer: { driver: 'external' as const },
      storage: 'none' as const,
    };
    expect(drawing(alone)).toContain('a balancer of somebody else ─ nobody: no node has the role web');
  });
});
