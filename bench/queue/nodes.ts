/**
 * Many nodes that work off their queues, in a process of their own: the agent's own conductor, its pull over mutual TLS and
 * the doorbell by the real link. What they do takes no time, and their records are in memory: a hundred boxes have a
 * hundred disks, and here there is one.
 */
import { createPublicKey, randomUUID } from 'node:crypto';
import type { Ledger, Unended } from '../../agent/queue/ledger.ts';
import { nameOf } from '../../agent/queue/ledger.ts';
import type { Perform } from '../../agent/queue/perform.ts';
import { createQueuePull } from '../../agent/queue/pull.ts';
import { type AgentQueue, createAgentQueue } from '../../agent/queue/queue.ts';
import { moment, systemClock } from '../../common/clock.ts';
import type { Stand } from '../../common/delta.ts';
import { createLog } from '../../common/log.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import type { TryResult } from '../../protocol/queue.ts';
import { ADDRESS, type Cluster } from '../sync/cluster.ts';
import { createEmulated, type Emulated } from '../sync/emulated.ts';
import { serve, sharedNow } from '../worker.ts';

export type NodesPlan = Pick<Cluster, 'id' | 'signingKey' | 'ports' | 'key' | 'ca' | 'members' | 'heads'>;

const clock = systemClock;
const log = createLog('nodes', 'error');
const OUTPUT = 'Filesystem on Size Used Avail Use%\n'.repeat(6);

let nodes: { agent: Emulated; queue: AgentQueue }[] = [];
let done = 0;
let last = 0;

/** What the agent's own says, and nothing on a disk. */
function createMemory(): Ledger {
  const id = randomUUID();
  const [ended, owed] = [new Set<string>(), new Map<string, TryResult>()];
  let current: Unended | null = null;
  return {
    open: async () => undefined,
    id: () => id,
    damage: () => null,
    stateOf: (name) =>
      ended.has(name) ? 'ended' : current && nameOf(current.try) === name ? 'open' : undefined,
    current: () => current,
    owed: () => [...owed.values()],
    take: async (wanted) => {
      current = { try: wanted, begun: null, leader: null };
    },
    begin: async (begun) => {
      if (current) current.begun = begun;
    },
    lead: async () => undefined,
    end: async (result) => {
      current = null;
      ended.add(nameOf(result));
      owed.set(nameOf(result), result);
    },
    owe: (name) => {
      throw new Error(`${name} was asked for twice`);
    },
    kept: async (names) => {
      for (const name of names) if (owed.delete(name)) done += 1;
      last = sharedNow();
    },
    close: async () => undefined,
  };
}

const perform: Perform = async ({ run, number }, { begin }) => {
  const from = moment(clock);
  await begin({ idempotent: true, reboots: false });
  const end = { end: 'succeeded', already: false, begun: true, status: 0, error: null } as const;
  return { run, number, ...end, output: OUTPUT, omitted: 0, from, to: moment(clock) };
};

async function start(plan: NodesPlan): Promise<void> {
  const { key, ca, id: cluster, ports } = plan;
  const signingKey = createPublicKey(plan.signingKey);
  const stands = new Map<ScopeName, Stand>(plan.heads.map((head) => [head.scope, head]));
  nodes = plan.members.map(({ node, certificate }) => {
    const who = { cluster, address: ADDRESS, signingKey };
    const credentials = () => ({ key, ca, cert: certificate });
    const queue = createAgentQueue({
      ledger: createMemory(),
      perform,
      pull: createQueuePull({ ...who, node: node.name, port: ports.machines, credentials }),
      ...{ live: () => undefined, alarm: () => undefined, boot: 'bench', clock, log },
    });
    const agent = createEmulated({
      ...{ ...who, node, certificate, key, ca, stands, port: ports.broker, clock, log },
      digestBefore: () => undefined,
      onAsk: ({ what }) => {
        if (what === 'queue') queue.ring();
      },
    });
    return { agent, queue };
  });
  for (const { agent } of nodes) {
    agent.start();
    await until(agent.connected, 20_000, 'connected');
  }
  for (const { queue } of nodes) queue.start();
}

async function until(isTrue: () => boolean, ms: number, what: string): Promise<void> {
  const deadline = clock.monotonic() + ms;
  while (!isTrue()) {
    if (clock.monotonic() > deadline) throw new Error(`within ${ms / 1000} s, not ${what}`);
    await clock.sleep(10);
  }
}

/** When the last of so many results was receipted. */
async function worked({ count, ms }: { count: number; ms: number }): Promise<number> {
  await until(() => done >= count, ms, `${count} commands done`);
  if (done > count) throw new Error(`${done} results were receipted of ${count} commands`);
  return last;
}

function stop(): void {
  for (const { agent } of nodes) agent.stop();
}

serve({ start, worked, stop });
