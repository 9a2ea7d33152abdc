/** The whole queue under whatever may come: a real store, the manager's queue and agents' ledgers on a disk, and deaths at any write. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nameOf } from '../../agent/queue/ledger.ts';
import type { Command } from '../../common/queue/command.ts';
import { createLive } from '../../manager/queue/live.ts';
import { createQueue, type Queue } from '../../manager/queue/queue.ts';
import type { QueueRows } from '../../manager/store/queue.ts';
import { isOpen } from '../../protocol/queue.ts';
import { waitingCommand } from '../support/command.ts';
import { quiet, temporaryFolder } from '../support/courier.ts';
import { type Answer, type Life, live, type World, worldIn } from '../unit/agent-queue/conductor.ts';
import { opened } from '../unit/store/opened.ts';

const NODES = ['web1', 'web2'] as const;
type NodeName = (typeof NODES)[number];

type Event =
  | { t: 'enqueue'; idempotent: boolean }
  | { t: 'finish'; node: NodeName }
  | { t: 'fail'; node: NodeName }
  | { t: 'skip'; node: NodeName }
  | { t: 'cancel'; node: NodeName }
  | { t: 'retry'; node: NodeName }
  | { t: 'agentDies'; node: NodeName; after: number }
  | { t: 'managerDies'; after: number }
  | { t: 'disconnect'; node: NodeName; pulls: number }
  | { t: 'wait'; ms: number };

const anyNode = fc.constantFrom(...NODES);
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  { arbitrary: fc.record({ t: fc.constant('enqueue' as const), idempotent: fc.boolean() }), weight: 5 },
  {
    arbitrary: fc.record({ t: fc.constantFrom('finish' as const, 'fail' as const), node: anyNode }),
    weight: 9,
  },
  {
    arbitrary: fc.record({
      t: fc.constantFrom('skip' as const, 'cancel' as const, 'retry' as const),
      node: anyNode,
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({ t: fc.constant('agentDies' as const), node: anyNode, after: fc.nat(9) }),
    weight: 3,
  },
  { arbitrary: fc.record({ t: fc.constant('managerDies' as const), after: fc.nat(3) }), weight: 3 },
  {
    arbitrary: fc.record({
      t: fc.constant('disconnect' as const),
      node: anyNode,
      pulls: fc.integer({ min: 1, max: 4 }),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({ t: fc.constant('wait' as const), ms: fc.constantFrom(1_000, 70_000, 310_000) }),
    weight: 4,
  },
);

const never = new Promise<never>(() => undefined);
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';
const newRun = () => [...randomBytes(12)].map((byte) => ALPHABET[byte % 32]).join('');

/** A manager over one store: it may die before any write, or after it and before anybody hears. */
function createManager(rows: QueueRows, world: World) {
  let left = Number.POSITIVE_INFINITY;
  let queue: Queue | undefined;
  const dying: QueueRows = {
    ...rows,
    save: async (changes) => {
      left -= 1;
      if (left <= 0) return never;
      await rows.save(changes);
      left -= 1;
      return left <= 0 ? never : undefined;
    },
  };
  const begin = async () => {
    left = Number.POSITIVE_INFINITY;
    queue = createQueue({
      ...{ rows: dying, cluster: 'c', held: () => false, ring: () => undefined },
      ...{ isNode: () => true, emit: () => undefined },
      ...{ live: createLive(() => true), clock: world.clock, log: quiet },
    });
    // Its undo waits for turns that a dead one never ends: it is let go.
    await queue.start();
  };
  return {
    begin,
    isDead: () => left <= 0,
    killAfter: (writes: number) => {
      left = writes;
    },
    queue: (): Queue => {
      if (!queue) throw new Error('the manager has not begun');
      return queue;
    },
  };
}

type Manager = ReturnType<typeof createManager>;

/** Gives up what a dead manager will never answer, as a connection that breaks. */
const unlessDead = async <T>(manager: Manager, work: Promise<T>): Promise<T | null> => {
  for (let turns = 0; turns < 400; turns += 1) {
    const first = await Promise.race([
      work.then((value) => ({ value })),
      new Promise<null>((resolve) => setImmediate(() => resolve(null))),
    ]);
    if (first) return first.value;
    if (manager.isDead()) return null;
    if (turns > 50) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  throw new Error('the manager lives and does not answer');
};

interface Asked {
  run: string;
  idempotent: boolean;
  /** How often an operator has said that it is to be tried again. */
  retries: Record<NodeName, number>;
}

interface Wires {
  worlds: Record<NodeName, World>;
  manager: Manager;
  asked: readonly Asked[];
  /** Of each node, how many halves of an exchange are lost still. */
  lost: Record<NodeName, number>;
}

/** Agents reach the manager, unless that is lost on its way there, or on its way back. */
function connect({ worlds, manager, asked, lost }: Wires): void {
  for (const node of NODES) {
    worlds[node].whatOf = (run) => ({
      idempotent: asked.find((one) => one.run === run)?.idempotent ?? true,
      reboots: false,
    });
    worlds[node].answer = async (said): Promise<Answer> => {
      lost[node] -= 1;
      if (lost[node] >= 0 && lost[node] % 2 === 0) return { lost: true };
      const answer = await unlessDead(manager, manager.queue().pull(node, said));
      if (answer === null) return { lost: true };
      return { next: answer.next, cancel: answer.cancel, kept: answer.kept, lost: lost[node] >= 0 };
    };
  }
}

async function play(events: readonly Event[], rows: QueueRows, folder: string): Promise<void> {
  const asked: Asked[] = [];
  const worlds = Object.fromEntries(
    NODES.map((node) => [node, worldIn(join(folder, newRun(), node))]),
  ) as Record<NodeName, World>;
  const [first] = NODES;
  for (const node of NODES) worlds[node].clock = worlds[first].clock;
  const manager = createManager(rows, worlds[first]);
  const lost: Record<NodeName, number> = { web1: 0, web2: 0 };
  await manager.begin();
  connect({ worlds, manager, asked, lost });
  const lives = Object.fromEntries(NODES.map((node) => [node, live(worlds[node])])) as Record<NodeName, Life>;
  const graves: Life[] = [];
  const look = async () => {
    if (manager.isDead()) await manager.begin();
    for (const node of NODES)
      for (await lives[node].settle(); lives[node].isDead(); await lives[node].settle()) {
        graves.push(lives[node]);
        lives[node] = live(worlds[node]);
      }
    if (manager.isDead()) await manager.begin();
  };
  const say = (node: NodeName, verb: (queue: Queue) => Promise<void>) =>
    unlessDead(
      manager,
      verb(manager.queue()).catch((err: { code?: string }) => {
        if (err.code !== 'not-possible') throw err;
      }),
    ).then(() => lives[node].queue.ring());
  const retry = async (node: NodeName) => {
    const [head] = manager.queue().line(node);
    const one = asked.find(({ run }) => run === head?.run);
    if (!head || !one || (head.state !== 'failed' && head.state !== 'unknown')) return;
    one.retries[node] += 1;
    const { values, digest, idempotent, hidden } = head;
    await say(node, (queue) => queue.retry(node, { values, digest, idempotent, hidden }, head.run));
  };
  const enqueue = async (idempotent: boolean) => {
    const run = newRun();
    const added = await rows.add(
      runOf(run),
      NODES.map((node) => commandOf(run, node, idempotent)),
    );
    asked.push({ run, idempotent, retries: { web1: 0, web2: 0 } });
    manager.queue().added(added);
    for (const node of NODES) lives[node].queue.ring();
  };
  const word = { by: 'ann', reason: 'test' };
  const acts: { [T in Event['t']]: (event: Extract<Event, { t: T }>) => unknown } = {
    enqueue: ({ idempotent }) => enqueue(idempotent),
    finish: ({ node }) => lives[node].finish(),
    fail: ({ node }) =>
      lives[node].finish({ end: 'failed', status: 1, error: { code: 'command-failed', message: 'no' } }),
    skip: ({ node }) => say(node, (queue) => queue.skip(node, word)),
    cancel: ({ node }) => say(node, (queue) => queue.cancel(node, word)),
    retry: ({ node }) => retry(node),
    agentDies: ({ node, after }) => lives[node].killAfter(after),
    managerDies: ({ after }) => manager.killAfter(after * 2 + 1),
    disconnect: ({ node, pulls }) => {
      lost[node] = pulls * 2;
    },
    wait: ({ ms }) => worlds[first].clock.advance(ms),
  };
  await look();
  for (const event of events) {
    await (acts[event.t] as (one: Event) => unknown)(event);
    await look();
  }
  // From here on nothing goes wrong, and whatever waits for a person gets his word.
  for (const node of NODES) lost[node] = 0;
  for (let rounds = 0; NODES.some((node) => manager.queue().line(node).length > 0); rounds += 1) {
    expect(rounds, 'the queues come to their end').toBeLessThan(40 + asked.length * 8);
    for (const node of NODES) {
      lives[node].finish();
      if (manager.queue().line(node)[0]?.again === null) await retry(node);
    }
    await worlds[first].clock.advance(70_000);
    await look();
  }
  await judge(asked, worlds, rows);
  for (const one of [...graves, ...Object.values(lives)]) await one.bury();
}

async function judge(
  asked: readonly Asked[],
  worlds: Record<NodeName, World>,
  rows: QueueRows,
): Promise<void> {
  const order = new Map(asked.map(({ run }, at) => [run, at]));
  const kept = new Map(
    (await Promise.all(asked.map(({ run }) => rows.ofRun(run))))
      .flat()
      .map((one) => [`${one.run} ${one.node}`, one]),
  );
  for (const node of NODES) await judgeNode(node, worlds[node].begun, { asked, order, kept, rows });
}

interface Kept {
  asked: readonly Asked[];
  order: ReadonlyMap<string, number>;
  kept: ReadonlyMap<string, Command>;
  rows: QueueRows;
}

async function judgeNode(
  node: NodeName,
  begun: readonly string[],
  { asked, order, kept, rows }: Kept,
): Promise<void> {
  expect(
    begun.filter((name, at) => begun.indexOf(name) !== at),
    `no try of ${node} is begun twice`,
  ).toEqual([]);
  const runs = begun.map((name) => name.split('/')[0] ?? '');
  const places = runs.map((run) => order.get(run) ?? -1);
  expect(places, `${node} keeps the order`).toEqual([...places].sort((a, b) => a - b));
  for (const { run, idempotent, retries } of asked) {
    const command = kept.get(`${run} ${node}`);
    expect(command && isOpen(command.state), `${run} on ${node} is over`).toBe(false);
    const times = runs.filter((one) => one === run).length;
    if (!idempotent)
      expect(times, `${run} on ${node} is not done again unasked`).toBeLessThanOrEqual(1 + retries[node]);
    const tries = await rows.tries(run, node);
    if (command?.state === 'succeeded')
      expect(
        tries.find(({ number }) => number === command.number)?.end,
        `${run} on ${node} has its result`,
      ).toBe('succeeded');
    // Written down to begin and dead before it began: then it is told as begun, and as interrupted or unknown.
    for (const { number } of tries.filter(({ end }) => end === 'succeeded'))
      expect(begun, `${run}/${number} on ${node} was really begun`).toContain(nameOf({ run, number }));
  }
}

const runOf = (id: string): Parameters<QueueRows['add']>[0] => ({
  ...{
    id,
    action: 'act',
    digest: 'a'.repeat(64),
    values: {},
    actor: 'ann',
    at: '2026-01-01T00:00:00Z',
    selector: 'all',
  },
  spec: { run: ['true'], parameters: {}, idempotent: true } as never,
  options: { jitter: 0 },
});
const commandOf = (run: string, node: string, idempotent: boolean) =>
  waitingCommand({ run, node, digest: 'a'.repeat(64), idempotent });

it('[5 must show] order kept, nothing lost, nothing that may not be done twice done twice, whatever comes in between', async () => {
  const { store } = await opened();
  const { folder, remove } = await temporaryFolder();
  await fc.assert(
    fc.asyncProperty(fc.array(anyEvent, { minLength: 5, maxLength: 40 }), async (events) => {
      await play(events, store.queue, folder);
    }),
    { numRuns: 60 },
  );
  await remove();
}, 240_000);
