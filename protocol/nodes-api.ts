/** What is asked and said of nodes over HTTP. A part of the table in endpoints.ts. */
import { Type } from 'typebox';
import { UnitPlan } from './messages.ts';
import { Moment, Name, Reason, ReleaseId, Strict } from './values.ts';
import { NodeView, Rev } from './views.ts';

export const NodeNamed = Strict({ name: Name });

const Verb = Strict({
  reason: Type.Unsafe<string>({ ...Reason, default: '' }),
  deadline: Type.Optional(Moment),
});

export const nodesApi = {
  nodes: {
    method: 'GET',
    path: '/api/v1/nodes',
    access: 'viewer',
    summary: 'All nodes and how they are',
    answer: Strict({ items: Type.Array(NodeView) }),
  },
  node: {
    method: 'GET',
    path: '/api/v1/nodes/:name',
    access: 'viewer',
    summary: 'One node and how it is',
    params: NodeNamed,
    answer: NodeView,
  },
  plan: {
    method: 'GET',
    path: '/api/v1/nodes/:name/plan',
    access: 'viewer',
    summary: 'What an apply would change on the node now, asked of the node itself',
    params: NodeNamed,
    answer: Strict({ node: Name, units: Type.Array(UnitPlan) }),
  },
  render: {
    method: 'GET',
    path: '/api/v1/nodes/:name/render',
    access: 'viewer',
    summary: 'Every file of the node, rendered from the journal',
    params: NodeNamed,
    answer: Strict({
      node: Name,
      units: Type.Array(
        Strict({
          unit: Name,
          digest: Type.String(),
          files: Type.Array(Strict({ path: Type.String(), text: Type.String() })),
        }),
      ),
    }),
  },
  drain: {
    method: 'POST',
    path: '/api/v1/nodes/:name/drain',
    access: 'operator',
    summary: 'No new connections to the node',
    params: NodeNamed,
    body: Verb,
    answer: NodeView,
  },
  undrain: {
    method: 'POST',
    path: '/api/v1/nodes/:name/undrain',
    access: 'operator',
    summary: 'End a drain or maintenance',
    params: NodeNamed,
    answer: NodeView,
  },
  maintenance: {
    method: 'POST',
    path: '/api/v1/nodes/:name/maintenance',
    access: 'operator',
    summary: 'Out of all pools, without alarms',
    params: NodeNamed,
    body: Verb,
    answer: NodeView,
  },
  hold: {
    method: 'POST',
    path: '/api/v1/nodes/:name/hold',
    access: 'operator',
    summary: 'Stop changing the node',
    params: NodeNamed,
    body: Verb,
    answer: NodeView,
  },
  release: {
    method: 'POST',
    path: '/api/v1/nodes/:name/release',
    access: 'operator',
    summary: 'End a hold',
    params: NodeNamed,
    answer: NodeView,
  },
  retry: {
    method: 'POST',
    path: '/api/v1/nodes/:name/retry',
    access: 'operator',
    summary: 'Try held and quarantined items again',
    params: NodeNamed,
    answer: Strict({ asked: Type.Boolean() }),
  },
  upgradeNode: {
    method: 'POST',
    path: '/api/v1/nodes/:name/upgrade',
    access: 'admin',
    summary:
      "Have its agent replaced by the manager's release, or by one that its box had before; answers at once",
    params: NodeNamed,
    body: Strict({
      release: Type.Optional(ReleaseId),
      dryRun: Type.Boolean({ default: false, description: 'Only ask the node whether it would' }),
    }),
    answer: Strict({ release: Type.String() }),
  },
  removeNode: {
    method: 'DELETE',
    path: '/api/v1/nodes/:name',
    access: 'admin',
    summary: 'Remove a node, dead or alive; by force where something hangs on it',
    params: NodeNamed,
    query: Strict({ force: Type.Boolean({ default: false }) }),
    answer: Strict({ revision: Rev }),
  },
} as const;
