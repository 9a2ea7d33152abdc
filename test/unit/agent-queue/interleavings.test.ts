/** Whatever comes in between: no try is begun twice, and every try that was handed out ends with one result, told until it is receipted. */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nameOf } from '../../../agent/queue/ledger.ts';
import type { Try, TryResult } from '../../../protocol/queue.ts';
import { temporaryFolder } from '../../support/courier.ts';
import { type Answer, type Life, live, type World, wanted, worldIn } from './conductor.ts';

type Event =
  | { t: 'enqueue'; idempotent: boolean; delay: number }
  | { t: 'ring' | 'finish' | 'fail' | 'cancel' | 'stop' }
  | { t: 'kill'; after: number }
  | { t: 'lose'; times: number }
  | { t: 'wait'; ms: number };

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  {
    arbitrary: fc.record({
      t: fc.constant('enqueue' as const),
      idempotent: fc.boolean(),
      delay: fc.constantFrom(0, 0, 5_000),
    }),
    weight: 4,
  },
  {
    arbitrary: fc.record({
      t: fc.constantFrom('ring' as const, 'finish' as const, 'fail' as const, 'cancel' as const),
    }),
    weight: 8,
  },
  { arbitrary: fc.record({ t: fc.constant('stop' as const) }), weight: 1 },
  { arbitrary: fc.record({ t: fc.constant('kill' as const), after: fc.nat(9) }), weight: 3 },
  {
    arbitrary: fc.record({ t: fc.constant('lose' as const), times: fc.integer({ min: 1, max: 3 }) }),
    weight: 2,
  },
  {
    arbitrary: fc.record({ t: fc.constant('wait' as const), ms: fc.constantFrom(500, 5_000, 70_000) }),
    weight: 3,
  },
);

/** The manager, as far as a node sees it: one queue, its head handed out until its result is there. */
function createManager() {
  const commands: { next: Try; idempotent: boolean; isCancelled: boolean }[] = [];
  const results = new Map<string, TryResult[]>();
  const handedOut = new Set<string>();
  let losses = 0;
  const over = (result: TryResult) => {
    const told = results.get(nameOf(result)) ?? [];
    results.set(nameOf(result), [...told, result]);
    const [head] = commands;
    if (!head || nameOf(head.next) !== nameOf(result)) return;
    const isAgain = result.end === 'failed' && (head.idempotent || !result.begun) && !head.isCancelled;
    if (isAgain) head.next = { ...head.next, number: head.next.number + 1 };
    else commands.shift();
  };
  return {
    results,
    handedOut,
    head: () => commands[0],
    enqueue: (idempotent: boolean, delay: number) => {
      const run = `${'abcdefghijklmnop'[commands.length % 16]}`.padEnd(10, 'a') + serial();
      commands.push({ next: wanted(run, 1, { delay }), idempotent, isCancelled: false });
    },
    lose: (times: number) => {
      losses = times;
    },
    answer: (told: readonly TryResult[]): Answer => {
      // What is lost is lost on its way there, or on its way back.
      losses -= 1;
      if (losses > 0 && losses % 2 === 0) return { lost: true };
      told.forEach(over);
      const head = commands[0];
      if (head && !head.isCancelled) handedOut.add(nameOf(head.next));
      const which = head && { run: head.next.run, number: head.next.number };
      return {
        next: head && !head.isCancelled ? head.next : null,
        cancel: head?.isCancelled && which ? which : null,
        lost: losses >= 0,
      };
    },
  };
}

let count = 0;
const letters = 'abcdefghijklmnopqrstuvwxyz234567';
function serial(): string {
  count += 1;
  return `${letters[Math.floor(count / 32) % 32]}${letters[count % 32]}`;
}

async function play(events: readonly Event[]): Promise<void> {
  const at = await temporaryFolder();
  const world: World = worldIn(join(at.folder, 'queue'));
  const manager = createManager();
  world.answer = ({ results }) => manager.answer(results);
  let life: Life = live(world);
  const lives = [life];
  const look = async () => {
    await life.settle();
    for (; life.isDead(); await life.settle()) {
      life = live(world);
      lives.push(life);
    }
    world.what = { idempotent: manager.head()?.idempotent ?? true, reboots: false };
  };
  const acts: { [T in Event['t']]: (event: Extract<Event, { t: T }>) => unknown } = {
    enqueue: ({ idempotent, delay }) => {
      manager.enqueue(idempotent, delay);
      life.queue.ring();
    },
    ring: () => life.queue.ring(),
    finish: () => life.finish(),
    fail: () => life.finish({ end: 'failed', status: 1, error: { code: 'command-failed', message: 'no' } }),
    cancel: () => {
      const head = manager.head();
      if (head) head.isCancelled = true;
      life.queue.ring();
    },
    stop: async () => {
      // A kill may come in the middle of that.
      const stopped = life.stop();
      await life.settle();
      if (!life.isDead()) await stopped;
      life.killAfter(0);
    },
    kill: ({ after }) => life.killAfter(after),
    lose: ({ times }) => manager.lose(times * 2),
    wait: ({ ms }) => world.clock.advance(ms),
  };
  await look();
  for (const event of events) {
    await (acts[event.t] as (one: Event) => unknown)(event);
    await look();
  }
  // From here on nothing goes wrong.
  manager.lose(0);
  for (let rounds = 0; manager.head() !== undefined && rounds < 200; rounds += 1) {
    life.finish();
    await world.clock.advance(70_000);
    await look();
  }
  judge(world, manager);
  for (const one of lives) await one.bury();
  await at.remove();
}

function judge({ begun }: World, { results, handedOut, head }: ReturnType<typeof createManager>): void {
  expect(head()).toBeUndefined();
  expect(begun.filter((name, nth) => begun.indexOf(name) !== nth)).toEqual([]);
  for (const name of handedOut) {
    const told = results.get(name) ?? [];
    expect(told.length, `${name} has a result`).toBeGreaterThan(0);
    expect(new Set(told.map(({ end }) => end)).size, `${name} has one`).toBe(1);
    if (begun.includes(name)) expect(told[0]?.begun, `${name} is told to be begun`).toBe(true);
  }
}

it('[5 must show] no try is begun twice, and each ends with one result that stays until it is receipted', async () => {
  await fc.assert(fc.asyncProperty(fc.array(anyEvent, { minLength: 5, maxLength: 40 }), play), {
    numRuns: 120,
  });
}, 120_000);
