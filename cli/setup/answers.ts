/** The answers of a setup: what may be said, whether it is well said, and what is still missing. Pure. */
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import type { Problem } from '../../protocol/errors.ts';
import { problemsOf } from '../../protocol/resource.ts';
import { balancers } from '../../protocol/resources/cluster.ts';
import { NodeSpec } from '../../protocol/resources/node.ts';
import { AbsolutePath, IPv4, IPv6, Name, Network, OneOf, Port, Strict } from '../../protocol/values.ts';

const Card = Type.String({
  pattern: '^[A-Za-z0-9_.-]{1,15}$',
  maxLength: 15,
  'x-rule': 'The name of a network card',
  'x-fix': 'write it as `ip link` does, such as eth0',
});

/** A port at the balancer; where nodes listen at another one, both. */
const Served = Type.Union([Port, Strict({ port: Port, target: Port })]);

const fields = {
  address: IPv4,
  networks: Strict({ cluster: Network, public: Type.Optional(Network) }),
  nodes: Type.Array(
    Strict({
      name: Name,
      address: IPv4,
      roles: Type.Array(Name, { minItems: 1, maxItems: 32, uniqueItems: true }),
      parameters: NodeSpec.properties.parameters,
    }),
    { minItems: 1, maxItems: 1000 },
  ),
  balancer: Strict({
    driver: OneOf([...balancers]),
    forwarding: Type.Optional(OneOf(['DR', 'NAT', 'TUN'])),
    card: Type.Optional(Card),
    syncCard: Type.Optional(Card),
  }),
  visitors: Strict({
    vip: Type.Union([IPv4, IPv6]),
    http: Type.Optional(Served),
    https: Type.Optional(Served),
  }),
  storage: Type.Union([
    Type.Literal('none'),
    Strict({
      name: Type.Unsafe<string>({ ...Name, default: 'home' }),
      server: Type.Union([IPv4, Strict({ node: Name })]),
      export: AbsolutePath,
      mountpoint: AbsolutePath,
      link: Type.Optional(AbsolutePath),
    }),
  ]),
  approveJoins: Type.Boolean(),
};
export const Answers = Strict(fields);
export type Answers = Static<typeof Answers>;
export type Question = keyof Answers;
export type PlannedNode = Answers['nodes'][number];
export type SharedStorage = Exclude<Answers['storage'], 'none'>;

/** In the order in which they are asked, with the way to say each without a terminal. */
export const questions: Record<Question, string> = {
  address: '--address ADDRESS',
  networks: '--network NETWORK, and --public-network NETWORK where there are two',
  nodes: '--node NAME:ADDRESS:ROLE[,ROLE], once for each',
  balancer: `--balancer ${balancers.join('|')}`,
  visitors: '--vip ADDRESS',
  storage: '--storage none, or --storage node:NAME:EXPORT or ADDRESS:EXPORT with --mountpoint FOLDER',
  approveJoins: '--approve-joins, or --no-approve-joins',
};
export const questionNames = Object.keys(questions) as Question[];

const Said = Strict(
  Object.fromEntries(Object.entries(fields).map(([name, schema]) => [name, Type.Optional(schema)])),
);
const validator = Compile(Said);

export type Read = { ok: true; answers: Partial<Answers> } | { ok: false; problems: Problem[] };

/** What is said now: a list of nodes in the file is the list, and those of flags are added to it. */
export interface Given {
  file: Partial<Answers>;
  flags: Partial<Answers>;
}

export const isGiven = ({ file, flags }: Given, question: Question): boolean =>
  question in file || question in flags;

export const over = (before: Partial<Answers>, { file, flags }: Given): Partial<Answers> =>
  merged({ ...before, ...file }, flags);

/** The door: some of the answers, or all that is wrong with them. */
export function readAnswers(input: unknown): Read {
  const filled: unknown = Value.Default(Said, structuredClone(input));
  if (validator.Check(filled)) {
    const answers = filled as Partial<Answers>;
    const twice = twiceIn(answers.nodes ?? []);
    return twice.length === 0 ? { ok: true, answers } : { ok: false, problems: twice };
  }
  return { ok: false, problems: problemsOf(validator, filled, (path) => path) };
}

const twiceIn = (nodes: PlannedNode[]): Problem[] =>
  nodes.flatMap(({ name }, at): Problem[] =>
    nodes.findIndex((one) => one.name === name) === at
      ? []
      : [
          {
            code: 'duplicate-document',
            path: `nodes/${at}/name`,
            value: name,
            message: 'another node of this file has the name',
            fix: 'give each node one entry, with all of its roles',
          },
        ],
  );

/** The questions that nobody has answered. */
export const missingIn = (answers: Partial<Answers>): Problem[] =>
  questionNames
    .filter((question) => answers[question] === undefined)
    .map((question) => ({
      code: 'unanswered',
      path: question,
      message: 'is not answered',
      fix: `give ${questions[question]}; or write it into the file (evenkeel setup --example)`,
    }));

export const isComplete = (answers: Partial<Answers>): answers is Answers =>
  questionNames.every((question) => answers[question] !== undefined);

/** Of each question the later word counts; nodes are added to one another by name. */
export function merged(...all: Partial<Answers>[]): Partial<Answers> {
  const nodes = new Map(all.flatMap((one) => one.nodes ?? []).map((node) => [node.name, node]));
  const answers: Partial<Answers> = Object.assign({}, ...all);
  return nodes.size === 0 ? answers : { ...answers, nodes: [...nodes.values()] };
}

/** What `--example` prints; it passes the door, and a test applies it. */
export const EXAMPLE = `# The answers of \`evenkeel setup --file setup.yaml\`; docs/setup.md says what each means.

# The cluster address: where nodes reach the manager.
address: 10.0.0.1

# One network for all; with \`public\` the cluster network is private.
networks:
  cluster: 10.0.0.0/24
  # public: 192.0.2.0/24

# Every box that serves. A box that has not joined yet is invited under this name.
nodes:
  - { name: lb1, address: 10.0.0.10, roles: [balancer] }
  - { name: web1, address: 10.0.0.11, roles: [web] }
  - { name: web2, address: 10.0.0.12, roles: [web] }
  - { name: files1, address: 10.0.0.20, roles: [storage] }

# lvs, ipvsadm, haproxy or external. card is the network card of the director that gets the address of visitors.
balancer: { driver: lvs, forwarding: DR, card: eth0 }

# The address that visitors use, which belongs to no box, and what is served there.
visitors:
  vip: 10.0.0.100
  http: 80
  # https: 443

# Where site data lie: none, or a server that every web node mounts. server is a node of the role storage, or an address.
storage:
  server: { node: files1 }
  export: /data/home
  mountpoint: /chroot/home
  # link: /home

# Whether each box that joins waits until an operator accepts it.
approveJoins: false
`;
