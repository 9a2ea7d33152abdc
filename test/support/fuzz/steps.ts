/** The steps of the fuzz: what operators, networks and machines do to a cluster, each as often as its weight says. */
import { type Cluster, type Member, nodeOf, put } from './cluster.ts';
import * as declared from './declared.ts';
import { diskFaults } from './disk.ts';
import type { Random } from './random.ts';

export interface Step {
  name: string;
  weight: number;
  /** Only an operator with a manager can do it, and others may do something before the manager has answered. */
  writes?: true;
  /** Waits until every operator has their answer. */
  alone?: true;
  /** Draws from chance before it waits for anything, so that a seed always gives the same steps. */
  run(world: World): Promise<void> | void;
}

/** The cluster, chance, and what is broken until a later step. */
export interface World {
  cluster: Cluster;
  random: Random;
  /** Does something when this many more steps are over. */
  later(steps: number, mend: () => Promise<void> | void): void;
}

const MOST_SITES = 60;
const siteName = (random: Random) => `s${random.below(MOST_SITES)}.example`;
const some = (random: Random, most: number) => 1 + random.below(most);

/** The next version of a thing in a map of versions. */
const renew = <K>(versions: Map<K, number>, name: K, by = 1): number => {
  const version = (versions.get(name) ?? 0) + by;
  versions.set(name, version);
  return version;
};

const putSite = ({ cluster, random }: World, redirects?: number) => {
  const name = siteName(random);
  const version = renew(cluster.sites, name, some(random, 7));
  return put(declared.site(name, version, redirects));
};
const remove = (kind: 'Site' | 'Storage' | 'Policy', name: string) => ({
  op: 'delete' as const,
  kind,
  name,
  where: '',
});
const writeNode = ({ cluster }: World, member: Member) => cluster.write([put(nodeOf(member))], 'exempt');

const operators: Step[] = [
  {
    name: 'put a site',
    weight: 30,
    run: (world) => world.cluster.write([putSite(world)]),
  },
  {
    name: 'put a site too large to ride along',
    weight: 2,
    run: (world) => world.cluster.write([putSite(world, declared.MANY_REDIRECTS)]),
  },
  {
    name: 'put several sites, in one request',
    weight: 5,
    run: (world) => {
      const edits = Array.from({ length: some(world.random, 12) }, () => putSite(world));
      const last = new Map(edits.map((edit) => [edit.op === 'put' ? edit.resource.name : '', edit]));
      return world.cluster.write([...last.values()]);
    },
  },
  {
    name: 'put several sites, each in a request of its own, at once',
    weight: 5,
    run: async (world) => {
      const edits = Array.from({ length: some(world.random, 12) }, () => putSite(world));
      const last = new Map(edits.map((edit) => [edit.op === 'put' ? edit.resource.name : '', edit]));
      await Promise.all([...last.values()].map((edit) => world.cluster.write([edit])));
    },
  },
  {
    name: 'delete a site',
    weight: 10,
    run: async ({ cluster, random }) => {
      const name = siteName(random);
      if (cluster.sites.delete(name)) await cluster.write([remove('Site', name)]);
    },
  },
  {
    name: 'delete half of the sites, forced',
    weight: 1,
    run: async ({ cluster, random }) => {
      const names = [...cluster.sites.keys()].filter(() => random.oneIn(2));
      for (const name of names) cluster.sites.delete(name);
      await cluster.write(
        names.map((name) => remove('Site', name)),
        'forced',
      );
    },
  },
  {
    name: 'give a node other roles',
    weight: 6,
    run: (world) => {
      const member = world.random.pick(world.cluster.members);
      member.declared.roles = declared.roles.filter(() => world.random.oneIn(2));
      return writeNode(world, member);
    },
  },
  {
    name: 'take roles away and give them back',
    weight: 2,
    run: async (world) => {
      const member = world.random.pick(world.cluster.members);
      const { roles } = member.declared;
      const meanwhile = putSite(world);
      member.declared.roles = [];
      await writeNode(world, member);
      await world.cluster.write([meanwhile]);
      member.declared.roles = roles;
      await writeNode(world, member);
    },
  },
  {
    name: 'change a node',
    weight: 4,
    run: (world) => {
      const member = world.random.pick(world.cluster.members);
      member.declared.version += some(world.random, 5);
      return writeNode(world, member);
    },
  },
  {
    name: 'edit a template',
    weight: 3,
    run: ({ cluster, random }) =>
      cluster.write([put(declared.template(random.pick(Object.keys(declared.texts)), random.below(1000)))]),
  },
  {
    name: 'edit a policy, or bring it back',
    weight: 3,
    run: ({ cluster, random }) => {
      const name = random.pick(declared.policyNames);
      return cluster.write([put(declared.policies[name](renew(cluster.policies, name)))], 'forced');
    },
  },
  {
    name: 'delete a policy that declares nothing for nodes',
    weight: 1,
    run: async ({ cluster, random }) => {
      const name = random.pick(['lines', 'peers', 'stores'] as const);
      if (cluster.policies.delete(name)) await cluster.write([remove('Policy', name)], 'forced');
    },
  },
  {
    name: 'put or delete storage',
    weight: 3,
    run: ({ cluster, random }) => {
      const name = `disk${random.below(6)}`;
      if (random.oneIn(3) && cluster.stores.delete(name))
        return cluster.write([remove('Storage', name)], 'forced');
      return cluster.write([put(declared.store(name, renew(cluster.stores, name)))]);
    },
  },
  {
    name: 'change the cluster',
    weight: 2,
    run: ({ cluster, random }) => cluster.write([put(declared.cluster(random.below(1000)))]),
  },
];

const networks: Step[] = [
  {
    name: 'cut the connection of a node',
    weight: 8,
    run: ({ cluster, random }) => random.pick(cluster.members).wires.broker.cut(),
  },
  {
    name: 'cut the pulls of all nodes',
    weight: 1,
    run: ({ cluster }) => {
      for (const { wires } of cluster.members) wires.machines.cut();
    },
  },
  {
    name: 'take a node off the network for a while',
    weight: 3,
    run: ({ cluster, random, later }) => {
      const { agent, wires } = random.pick(cluster.members);
      for (const wire of Object.values(wires)) wire.sever();
      later(some(random, 60), () => {
        if (agent.isUp()) for (const wire of Object.values(wires)) wire.mend();
      });
    },
  },
  {
    name: 'lose heads before they reach the broker',
    weight: 4,
    run: ({ cluster, random }) => cluster.messages.lose(some(random, 3)),
  },
  {
    name: 'double heads',
    weight: 8,
    run: ({ cluster, random }) => cluster.messages.double(some(random, 6)),
  },
  {
    name: 'lose what is sent to one node for a while',
    weight: 4,
    run: ({ cluster, random, later }) => {
      const { name } = random.pick(cluster.members);
      cluster.messages.deafen(name);
      later(some(random, 20), () => cluster.messages.hear(name));
    },
  },
];

const machines: Step[] = [
  {
    name: 'kill an agent',
    weight: 6,
    run: async ({ cluster, random, later }) => {
      const { agent } = random.pick(cluster.members);
      const { fault } = random.weighed(diskFaults);
      const steps = random.below(40);
      if (!agent.isUp()) return;
      await agent.kill(fault);
      if (steps === 0) await agent.start();
      else later(steps, agent.start);
    },
  },
  {
    name: 'restart the manager',
    weight: 1,
    alone: true,
    run: async ({ cluster: { manager }, random, later }) => {
      const steps = random.below(20);
      if (!manager.isUp()) return;
      await manager.stop();
      if (steps === 0) await manager.start();
      else later(steps, manager.start);
    },
  },
];

/** All of them. An operator whose manager is down does nothing. */
export const steps: readonly Step[] = [
  ...operators.map((step): Step => ({ ...step, writes: true })),
  ...networks,
  ...machines,
];
