/** The questions of a setup, one after the other: what each means, and what is proposed by what is there. */
import type { Problem } from '../../protocol/errors.ts';
import { type Answers, type PlannedNode, type Question, readAnswers } from './answers.ts';
import { type Asker, choice, isYesTo } from './asker.ts';

export interface Ground {
  /** Answered so far, and of the others what is proposed. */
  proposed: Partial<Answers>;
  /** The roles for which there are policies. */
  roles: string[];
}

type Said<Q extends Question> = Promise<NonNullable<Answers[Q]>>;

export interface Step<Q extends Question = Question> {
  question: Q;
  title: string;
  means: string;
  ask(asker: Asker, ground: Ground): Said<Q>;
}

const step = <Q extends Question>(one: Step<Q>): Step => one as unknown as Step;

export const steps: Step[] = [
  step({
    question: 'address',
    title: 'Cluster address',
    means: 'Where nodes reach the manager; with two networks it is the one on the private network.',
    ask: (asker, { proposed }) => part('address', asker, 'address', proposed.address),
  }),
  step({
    question: 'networks',
    title: 'Network layout',
    means: 'What nodes, manager and storage say to each other stays in the cluster network.',
    ask: askNetworks,
  }),
  step({
    question: 'nodes',
    title: 'Nodes and their roles',
    means:
      'Every box that serves; one that has not joined is invited under its name. One box may have every role.',
    ask: askNodes,
  }),
  step({
    question: 'balancer',
    title: 'Balancer',
    means: 'Who spreads the requests of visitors over the web nodes.',
    ask: askBalancer,
  }),
  step({
    question: 'visitors',
    title: 'Address for visitors',
    means: 'One further address, which belongs to no box: the balancer answers at it.',
    ask: askVisitors,
  }),
  step({
    question: 'storage',
    title: 'Storage',
    means: 'Where site data lie; with a shared one every node serves the same files.',
    ask: askStorage,
  }),
  step({
    question: 'approveJoins',
    title: 'Joining',
    means: 'A box needs an invitation to join; beside that, somebody may look at each one.',
    ask: (asker, { proposed }) =>
      isYesTo(asker, 'does each box wait until you accept it?', proposed.approveJoins ?? false),
  }),
];

/** Asks until what was typed is a good answer. */
async function good<T>(asker: Asker, ask: () => Promise<T>, problemsOf: (value: T) => Problem[]): Promise<T> {
  for (;;) {
    const value = await ask();
    const problems = problemsOf(value);
    if (problems.length === 0) return value;
    for (const { message, fix } of problems) asker.say(`  ${message}${fix === undefined ? '' : `: ${fix}`}`);
  }
}

const problemsIn = (answers: object): Problem[] => {
  const read = readAnswers(answers);
  return read.ok ? [] : read.problems;
};

/** One value, judged as a part of an answer. */
const typed = (
  asker: Asker,
  question: string,
  proposed: string | undefined,
  place: (value: string) => object,
): Promise<string> =>
  good(
    asker,
    () => asker.ask(question, proposed),
    (value) => problemsIn(place(value)),
  );

const part = (
  field: 'address',
  asker: Asker,
  question: string,
  proposed: string | undefined,
): Promise<string> => typed(asker, question, proposed, (value) => ({ [field]: value }));

const around = (address: string | undefined): string | undefined => address?.replace(/\.\d+$/, '.0/24');

async function askNetworks(asker: Asker, { proposed }: Ground): Said<'networks'> {
  const { networks, address } = proposed;
  const layout = await choice(
    asker,
    'layout',
    {
      one: 'one network for all; a cluster of two boxes needs three addresses',
      two: 'a private network between the boxes, beside the public one that visitors come by',
    },
    networks?.public === undefined ? 'one' : 'two',
  );
  const cluster = await typed(asker, 'cluster network', networks?.cluster ?? around(address), (value) => ({
    networks: { cluster: value },
  }));
  if (layout === 'one') return { cluster };
  const open = await typed(asker, 'public network', networks?.public, (value) => ({
    networks: { cluster, public: value },
  }));
  return { cluster, public: open };
}

const nodeLine = ({ name, address, roles }: PlannedNode): string => `  ${name} ${address} ${roles.join(',')}`;

async function askNodes(asker: Asker, { proposed, roles }: Ground): Said<'nodes'> {
  const nodes = new Map((proposed.nodes ?? []).map((node) => [node.name, node]));
  asker.say(`  roles: ${roles.join(', ')}; a line for each, such as: web1 10.0.0.11 web`);
  asker.say('  the same name again changes one, -NAME leaves it out, an empty line is the end');
  for (const node of nodes.values()) asker.say(nodeLine(node));
  for (;;) {
    const line = await asker.ask('node');
    const [name = '', address, list, ...more] = line.split(/\s+/);
    if (line === '' && nodes.size > 0) return [...nodes.values()];
    if (name.startsWith('-') && nodes.delete(name.slice(1))) continue;
    if (address === undefined || list === undefined || more.length > 0) {
      asker.say(line === '' ? '  there is no node yet' : '  write NAME ADDRESS ROLE[,ROLE]');
      continue;
    }
    const node = { name, address, roles: list.split(','), parameters: nodes.get(name)?.parameters ?? {} };
    const problems = problemsIn({ nodes: [node] });
    for (const { path, message, fix } of problems)
      asker.say(`  ${path.replace('nodes/0/', '')} ${message}${fix === undefined ? '' : `: ${fix}`}`);
    if (problems.length === 0) nodes.set(name, node);
  }
}

const NONE = 'none';

async function askBalancer(asker: Asker, { proposed }: Ground): Said<'balancer'> {
  const before = proposed.balancer;
  const driver = await choice(
    asker,
    'driver',
    {
      lvs: 'the kernel of the director; members answer visitors themselves (needs ip_vs, keepalived)',
      ipvsadm: 'the same without keepalived: one director alone',
      haproxy: 'a proxy on the director; needs nothing of the kernel',
      external: 'a balancer that somebody else runs; it is told who may take traffic',
    },
    before?.driver ?? 'lvs',
  );
  if (driver === 'external') return { driver };
  const forwarding = driver === 'haproxy' ? undefined : await askForwarding(asker, before?.forwarding);
  const answer = { driver, ...(forwarding === undefined ? {} : { forwarding }) };
  const card = await optional(
    asker,
    'network card of the director for the address of visitors',
    before?.card ?? (driver === 'haproxy' ? NONE : 'eth0'),
    (value) => ({ balancer: { ...answer, card: value } }),
  );
  const cards = card === undefined ? answer : { ...answer, card };
  if (driver !== 'lvs' || proposed.networks?.public === undefined) return cards;
  const syncCard = await optional(
    asker,
    'network card on which directors tell each other of connections, the private one',
    before?.syncCard ?? NONE,
    (value) => ({ balancer: { ...cards, syncCard: value } }),
  );
  return syncCard === undefined ? cards : { ...cards, syncCard };
}

const askForwarding = (asker: Asker, proposed: 'DR' | 'NAT' | 'TUN' | undefined) =>
  choice(
    asker,
    'forwarding',
    {
      DR: 'members answer straight to the visitor; all on one segment',
      NAT: 'answers go back through the director; ports may be mapped',
      TUN: 'as DR, by a tunnel: members may be anywhere that is routed',
    },
    proposed ?? 'DR',
  );

/** `none` leaves it out. */
async function optional(
  asker: Asker,
  question: string,
  proposed: string,
  place: (value: string) => object,
): Promise<string | undefined> {
  const value = await typed(asker, `${question}, or none`, proposed, (text) =>
    text === NONE ? {} : place(text),
  );
  return value === NONE ? undefined : value;
}

type Served = NonNullable<Answers['visitors']['http']>;

const servedText = (served: Served | undefined): string =>
  served === undefined
    ? NONE
    : typeof served === 'number'
      ? String(served)
      : `${served.port}:${served.target}`;

/** `80`, or `80:8080` where nodes listen at another port. */
export function servedOf(text: string): Served {
  const [port = '', target] = text.split(':');
  return target === undefined ? Number(port) : { port: Number(port), target: Number(target) };
}

async function askVisitors(asker: Asker, { proposed }: Ground): Said<'visitors'> {
  const before = proposed.visitors;
  const vip = await typed(asker, 'address', before?.vip, (value) => ({ visitors: { vip: value } }));
  const http = await optional(
    asker,
    'port for http (80, or 80:8080 where nodes listen at another)',
    before === undefined ? '80' : servedText(before.http),
    (value) => ({ visitors: { vip, http: servedOf(value) } }),
  );
  const https = await optional(
    asker,
    'port for https (it serves once a site has tls)',
    servedText(before?.https),
    (value) => ({ visitors: { vip, https: servedOf(value) } }),
  );
  return {
    vip,
    ...(http === undefined ? {} : { http: servedOf(http) }),
    ...(https === undefined ? {} : { https: servedOf(https) }),
  };
}

async function askStorage(asker: Asker, { proposed }: Ground): Said<'storage'> {
  const before = proposed.storage === NONE ? undefined : proposed.storage;
  const servers = (proposed.nodes ?? []).filter(({ roles }) => roles.includes('storage'));
  const kind = await choice(
    asker,
    'storage',
    {
      none: 'every node has its own files: you put the same on each',
      node: 'a node of the role storage exports a folder, and the others mount it',
      server: 'a file server that somebody else runs, such as a NAS',
    },
    before === undefined
      ? proposed.storage === undefined && servers.length > 0
        ? 'node'
        : 'none'
      : typeof before.server === 'string'
        ? 'server'
        : 'node',
  );
  if (kind === 'none') return NONE;
  const [path, mountpoint] = [before?.export ?? '/data/home', before?.mountpoint ?? '/chroot/home'];
  const start = { name: before?.name ?? 'home', export: path, mountpoint };
  const known = typeof before?.server === 'string' ? before.server : before?.server.node;
  const named = await typed(
    asker,
    kind === 'node' ? 'which node' : 'address of the server',
    known ?? (kind === 'node' ? servers[0]?.name : undefined),
    (value) => ({ storage: { ...start, server: kind === 'node' ? { node: value } : value } }),
  );
  const server = kind === 'node' ? { node: named } : named;
  const folder = (question: string, field: string, value: string) =>
    typed(asker, question, value, (text) => ({ storage: { ...start, server, [field]: text } }));
  const answer = {
    ...{ name: start.name, server },
    export: await folder('folder on the server', 'export', path),
    mountpoint: await folder('where nodes mount it', 'mountpoint', mountpoint),
  };
  const link = await optional(
    asker,
    'a link that leads there, such as /home',
    before?.link ?? NONE,
    (value) => ({ storage: { ...answer, link: value } }),
  );
  return link === undefined ? answer : { ...answer, link };
}
