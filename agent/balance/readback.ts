/** Read-back: what the balancer really has of each member, joined over the backends of a service. Pure. */
import type { ServerRow } from '../../common/balancer.ts';
import type { Verdict } from '../../common/health/judge.ts';
import type { Membership, Reason } from '../../common/health/membership.ts';
import type { PoolReport } from '../../protocol/messages.ts';

export interface ActualMember {
  /** What it was told by its backends: the strictest of them; null where one does not have it. */
  admin: ServerRow['admin'] | null;
  state: PoolReport['members'][number]['state'];
  weight: number;
  connections: number;
  detail: string;
}

/** By node; one that a backend does not have yet is absent. */
export function readBack(
  backends: readonly string[],
  nodes: readonly string[],
  rows: readonly ServerRow[],
): Map<string, ActualMember> {
  const ours = new Map<string, ServerRow[]>(nodes.map((node) => [node, []]));
  for (const row of rows) if (backends.includes(row.backend)) ours.get(row.server)?.push(row);
  return new Map([...ours].map(([node, servers]) => [node, actualOf(servers, backends.length)]));
}

function actualOf(servers: readonly ServerRow[], wanted: number): ActualMember {
  const connections = servers.reduce((sum, { sessions }) => sum + sessions, 0);
  const is = (admin: ServerRow['admin']) => servers.some((server) => server.admin === admin);
  if (servers.length < wanted)
    return { admin: null, state: 'absent', weight: 0, connections, detail: 'not in the configuration yet' };
  if (is('maint')) return { admin: 'maint', state: 'down', weight: 0, connections, detail: '' };
  if (is('drain')) return { admin: 'drain', state: 'drain', weight: 0, connections, detail: '' };
  const stopped = servers.find(({ running }) => !running);
  if (stopped)
    return {
      admin: 'ready',
      state: 'down',
      weight: 0,
      connections,
      detail: `the balancer's own check: ${stopped.check}`,
    };
  return {
    admin: 'ready',
    state: 'up',
    weight: Math.min(...servers.map(({ weight }) => weight)),
    connections,
    detail: '',
  };
}

const sentences: Record<Reason, string> = {
  well: '',
  'no-opinion': 'no opinion: the probe decides',
  'reports-set-aside': 'reports against it are set aside: too many at once',
  'kept-for-the-pool': 'stays although it is doubted: the pool would fall below its floor',
  'report-failed': 'reports speak against it',
  'held-down': 'well again, but held down because it flapped',
  'probe-failed': 'the probe of this director fails',
  draining: 'draining',
  drained: 'drained',
  'drain-deadline': 'the deadline of the drain has passed',
  maintenance: 'in maintenance',
};

const slowStart = (state: string, factor: number): string =>
  state === 'up' && factor < 1 ? `slow start: at ${Math.round(factor * 100)} %` : '';

/** The members of a pool report: what is there, and why it was wanted so. */
export const reportMembers = (
  decided: Membership,
  actual: ReadonlyMap<string, ActualMember>,
  probes: { seen: ReadonlyMap<string, Verdict>; failures: ReadonlyMap<string, string> },
): PoolReport['members'] =>
  decided.members.map(({ node, reasons, state, factor }) => {
    const row = actual.get(node) ?? { state: 'absent' as const, weight: 0, connections: 0, detail: '' };
    const failure = probes.failures.get(node);
    const sentence = (reason: Reason) =>
      reason === 'probe-failed' && failure ? `${sentences[reason]}, ${failure}` : sentences[reason];
    const said = [row.detail, ...reasons.map(sentence), slowStart(state, factor)];
    const why = said.filter((text) => text !== '');
    return {
      node,
      state: row.state,
      weight: row.weight,
      connections: row.connections,
      probe: probes.seen.get(node) ?? 'unknown',
      detail: why.join('; ').slice(0, 500),
    };
  });

/** The members in the report of a balancer that does not answer. */
export const membersUnknown = (
  decided: Membership,
  probes: ReadonlyMap<string, Verdict>,
  why: string,
): PoolReport['members'] =>
  reportMembers(decided, new Map(), { seen: probes, failures: new Map() }).map((member) => ({
    ...member,
    detail: why.slice(0, 500),
  }));
