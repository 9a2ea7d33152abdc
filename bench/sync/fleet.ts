/**
 * Many emulated agents in a process of their own.
 *
 * On their own boxes they would work side by side; here they share one core. So a message's moment is taken when it
 * arrives, the work on it is done when all have theirs, and the time of that work is added to the moment.
 */
import { createPublicKey } from 'node:crypto';
import type { ReportBody } from '../../agent/link/outbox.ts';
import { systemClock } from '../../common/clock.ts';
import type { Stand } from '../../common/delta.ts';
import { createLog } from '../../common/log.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import { serve, sharedNow } from '../worker.ts';
import { ADDRESS, type Cluster } from './cluster.ts';
import { type Arrival, createEmulated, type Emulated } from './emulated.ts';

export type FleetPlan = Pick<Cluster, 'id' | 'signingKey' | 'ports' | 'key' | 'ca' | 'members' | 'heads'>;

const AT_ONCE = 32;
const clock = systemClock;
let agents = new Map<string, Emulated>();
/** Every digest that a resource ever had, with the revision that gave it. */
const history = new Map<string, { rev: number; digest: string }[]>();

const digestBefore = (key: string, rev: number): string | undefined =>
  history.get(key)?.findLast((version) => version.rev < rev)?.digest;

/** What was applied, told beforehand by the one who applied it, so that a thousand agents need not keep it each. */
function applied({ key, rev, digest }: { key: string; rev: number; digest: string }): void {
  history.set(key, [...(history.get(key) ?? []), { rev, digest }]);
}

async function start(plan: FleetPlan): Promise<void> {
  const log = createLog('fleet', 'error');
  const signingKey = createPublicKey(plan.signingKey);
  const stands = new Map<ScopeName, Stand>(plan.heads.map((head) => [head.scope, head]));
  const { key, ca, id: cluster } = plan;
  agents = new Map(
    plan.members.map(({ node, certificate }) => {
      const own = { node, certificate, key, ca, cluster, signingKey, stands, digestBefore, clock, log };
      return [node.name, createEmulated({ ...own, address: ADDRESS, port: plan.ports.broker })];
    }),
  );
  const waiting = [...agents.values()];
  const lane = async () => {
    for (let agent = waiting.pop(); agent; agent = waiting.pop()) {
      agent.start();
      await until(agent.connected, 20_000, 'connected');
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function until(isTrue: () => boolean, ms: number, what: string): Promise<void> {
  const deadline = clock.monotonic() + ms;
  while (!isTrue()) {
    if (clock.monotonic() > deadline) throw new Error(`not all agents were ${what} within ${ms / 1000} s`);
    await clock.sleep(10);
  }
}

const all = () => [...agents.values()];

function workAll(): void {
  for (const agent of agents.values()) agent.work();
}

/** Where each agent came to stand, once all are at the revision or later. */
async function at({ scope, rev }: { scope: ScopeName; rev: number }): Promise<Arrival[]> {
  const hasArrived = (agent: Emulated) => (agent.arrival(scope)?.rev ?? 0) >= rev;
  while (!all().every(hasArrived)) {
    await until(() => all().every((agent) => agent.waiting() > 0 || hasArrived(agent)), 20_000, `at ${rev}`);
    workAll();
  }
  return all().flatMap((agent) => agent.arrival(scope) ?? []);
}

/** When each agent was consistent again, once all are connected and at their heads. */
async function back({ since }: { since: number }): Promise<number[]> {
  const consistent = () => {
    workAll();
    return all().every((agent) => agent.connected() && (agent.consistentAt() ?? 0) > since);
  };
  await until(consistent, 60_000, 'back');
  return all().map((agent) => agent.consistentAt() ?? 0);
}

/** Returns the moment at which the report left. */
function report({ node, body }: { node: string; body: ReportBody }): number {
  const moment = sharedNow();
  agents.get(node)?.report(body);
  return moment;
}

function stop(): void {
  for (const agent of agents.values()) agent.stop();
}

serve({ start, at, back, report, applied, stop });
