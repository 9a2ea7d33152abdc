/** Nodes: how they are, what an operator says of them, and what they are asked. */
import type { FastifyReply } from 'fastify';
import { sameRelease } from '../../../common/own-release.ts';
import { policiesOf } from '../../../common/policies.ts';
import type { RenderedUnit } from '../../../common/render/rendered.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { Ask } from '../../../protocol/messages.ts';
import type { NodeSpec } from '../../../protocol/resources/node.ts';
import type { ReleaseWanted } from '../../../protocol/upgrade.ts';
import type { NodeView } from '../../../protocol/views.ts';
import { changeOne } from '../change/one.ts';
import { declaredNow } from '../change/proposed.ts';
import { createRenderer, takesSites } from '../change/render.ts';
import { createSlices } from '../change/slices.ts';
import { actorOf, type Caller, type Given } from '../given.ts';
import type { Handlers } from '../mount.ts';
import { warn } from './resources.ts';

type NodeRoutes = Pick<
  Handlers,
  | 'nodes'
  | 'node'
  | 'plan'
  | 'render'
  | 'drain'
  | 'undrain'
  | 'maintenance'
  | 'hold'
  | 'release'
  | 'retry'
  | 'removeNode'
  | 'upgradeNode'
>;

export function nodeRoutes({ store, nodes, ask, release, clock }: Given): NodeRoutes {
  const renderer = createRenderer();
  const viewOf = (name: string): NodeView => {
    const view = nodes.one(name);
    if (!view) throw new EvenkeelError('not-found', `there is no Node/${name}`);
    return view;
  };
  /** A node that is known to be away is not waited for. */
  const askOnline = (
    name: string,
    what: 'plan' | 'retry' | 'upgrade' | 'upgrade-check',
    more?: Pick<Ask, 'release'>,
  ) => {
    const { online, lastSeen } = viewOf(name);
    if (online) return ask(name, what, more);
    const seen = lastSeen === null ? 'it was never heard' : `it was last heard at ${lastSeen}`;
    throw new EvenkeelError('node-unreachable', `the node ${name} is not connected: ${seen}`);
  };
  /** A word of the operator about a node: never refused by the guard, which only warns. */
  const say = async (
    name: string,
    reply: FastifyReply,
    caller: Caller,
    change: (spec: NodeSpec) => object,
  ) => {
    viewOf(name);
    const { warnings } = await changeOne(
      { store, write: store.write },
      {
        ...{ kind: 'Node', name, caller, guard: 'exempt' },
        wanted: (known) => ({ spec: known ? change(known.spec as NodeSpec) : {} }),
      },
    );
    warn(reply, warnings);
    return viewOf(name);
  };
  return {
    nodes: () => ({ items: nodes.all() }),
    node: ({ params: { name } }) => viewOf(name),
    plan: async ({ params: { name } }) => {
      const { units, error } = await askOnline(name, 'plan');
      if (error !== undefined) throw new EvenkeelError('node-unreachable', `the node ${name} says: ${error}`);
      return { node: name, units };
    },
    retry: async ({ params: { name } }) => {
      await askOnline(name, 'retry');
      return { asked: true };
    },
    render: async ({ params: { name } }) => {
      const now = declaredNow(store);
      const node = now.of('Node').get(name);
      if (!node) throw new EvenkeelError('not-found', `there is no Node/${name}`);
      const cluster = now.of('Cluster').get('cluster');
      const policies = policiesOf(now.of('Policy').values(), node.spec, cluster);
      const sites = policies.some(takesSites) ? await now.sites() : [];
      const job = { from: now, sites, breathe: createSlices(clock), texts: true };
      const units: RenderedUnit[] = [];
      for (const policy of policies) units.push(await renderer.unit({ ...job, policy }, node));
      return {
        node: name,
        units: units.map(({ unit, digest, files }) => ({
          ...{ unit, digest },
          files: files.map(({ path, text }) => ({ path, text: text ?? '' })),
        })),
      };
    },
    drain: ({ params: { name }, body: { reason, deadline }, caller, reply }) =>
      say(name, reply, caller, (spec) => ({
        ...spec,
        drain: { reason, owner: caller.name, ...(deadline ? { deadline } : {}) },
      })),
    undrain: ({ params: { name }, caller, reply }) =>
      say(name, reply, caller, ({ drain: _, maintenance: __, ...spec }) => spec),
    maintenance: ({ params: { name }, body: { reason, deadline }, caller, reply }) =>
      say(name, reply, caller, (spec) => ({ ...spec, maintenance: untilOf(reason, caller, deadline) })),
    hold: ({ params: { name }, body: { reason, deadline }, caller, reply }) =>
      say(name, reply, caller, (spec) => ({ ...spec, hold: untilOf(reason, caller, deadline) })),
    release: ({ params: { name }, caller, reply }) =>
      say(name, reply, caller, ({ hold: _, ...spec }) => spec),
    upgradeNode: async ({ params: { name }, body }) => {
      const wanted = wantedOf(release.agent(), body.release);
      const { dryRun } = body;
      const { error } = await askOnline(name, dryRun ? 'upgrade-check' : 'upgrade', { release: wanted });
      if (error !== undefined) throw new EvenkeelError('upgrade-refused', `the node ${name} says: ${error}`);
      return { release: wanted.id };
    },
    removeNode: async ({ params: { name }, query: { force }, caller, reply }) => {
      viewOf(name);
      const edits = [{ op: 'delete' as const, kind: 'Node' as const, name, where: '' }];
      const guard = force ? ('forced' as const) : ('on' as const);
      const { revision, warnings } = await store.write({ actor: actorOf(caller), edits, guard });
      warn(reply, warnings);
      return { revision };
    },
  };
}

const untilOf = (reason: string, { name }: Caller, until: string | undefined) => ({
  ...{ reason, owner: name },
  ...(until ? { until } : {}),
});

/** @throws EvenkeelError upgrade-refused for a manager that has nothing to give */
function wantedOf(own: { id: string; sum: string } | undefined, named: string | undefined): ReleaseWanted {
  if (own && (named === undefined || sameRelease(named, own.id))) return own;
  if (named !== undefined) return { id: named };
  throw new EvenkeelError(
    'upgrade-refused',
    'this manager runs from a checkout and has no release to give; install.sh upgrade makes it newer',
  );
}
