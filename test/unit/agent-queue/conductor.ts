/** A conductor with everything around it in memory but its ledger, which lies on a real disk: lives of an agent that may end at any write. */

import { createLedger, type Ledger, nameOf } from '../../../agent/queue/ledger.ts';
import type { Hooks } from '../../../agent/queue/perform.ts';
import { type AgentQueue, createAgentQueue } from '../../../agent/queue/queue.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { LiveOutput, QueueAnswer, QueuePull, Try, TryResult } from '../../../protocol/queue.ts';
import { createManualClock, type ManualClock } from '../../support/clock.ts';
import { tryResult } from '../../support/command.ts';
import { quiet } from '../../support/courier.ts';

export const AT = '2026-01-01T00:00:00.000Z';
export const wanted = (run: string, number = 1, more: Partial<Try> = {}): Try => ({
  ...{ run, number, action: 'act', digest: 'a'.repeat(64), values: {}, delay: 0, ...more },
});
export const resultOf = (
  { run, number }: Pick<Try, 'run' | 'number'>,
  more: Partial<TryResult> = {},
): TryResult => tryResult({ run, number, from: AT, to: AT, ...more });

export type Answer = Partial<Pick<QueueAnswer, 'next' | 'cancel'>> & { lost?: boolean; kept?: string[] };

/** What the world sees of all lives of one agent. */
export interface World {
  folder: string;
  /** How often each try was begun. */
  begun: string[];
  answer: (said: QueuePull) => Answer | Promise<Answer>;
  /** Of the try that is about to begin; else `what`. */
  whatOf?: (run: string) => World['what'];
  what: { idempotent: boolean; reboots: boolean };
  boot: string;
  clock: ManualClock;
  live: LiveOutput[];
  alarms: string[];
  pulls: QueuePull[];
  /** What the disk takes nothing of. */
  full: 'take' | 'begin' | null;
}

export interface Life {
  queue: AgentQueue;
  stop(): Promise<void>;
  /** Ends the try that runs. */
  finish(result?: Partial<TryResult>): void;
  hooks(): Hooks | null;
  /** From now on, after so many steps, it does and says nothing more. */
  killAfter(steps: number): void;
  isDead(): boolean;
  /** Ends it if it lives, and closes its files. */
  bury(): Promise<void>;
  /** Waits until nothing is under way but waits and tries. */
  settle(): Promise<void>;
}

const never = new Promise<never>(() => undefined);

export const worldIn = (folder: string): World => ({
  ...{ folder, begun: [], answer: () => ({}), what: { idempotent: true, reboots: false } },
  ...{ boot: 'boot-1', clock: createManualClock(), live: [], alarms: [], pulls: [], full: null },
});

export function live(world: World): Life {
  const { clock } = world;
  let left = Number.POSITIVE_INFINITY;
  let busy = 0;
  const isDead = () => left <= 0;
  /** A step that a kill may come before, or after. */
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    left -= 1;
    if (isDead()) return never;
    busy += 1;
    const value = await work().finally(() => {
      busy -= 1;
    });
    left -= 1;
    return isDead() ? never : value;
  };
  const ledger = createLedger({ folder: world.folder, log: quiet });
  const fits = (what: World['full'], work: () => Promise<void>) =>
    world.full === what ? Promise.reject(new EvenkeelError('write-failed', 'no space left')) : work();
  const guarded: Ledger = {
    ...ledger,
    open: () => step(ledger.open),
    take: (one) => step(() => fits('take', () => ledger.take(one))),
    begin: (one) => step(() => fits('begin', () => ledger.begin(one))),
    lead: (one) => step(() => ledger.lead(one)),
    end: (one) => step(() => ledger.end(one)),
    kept: (names) => step(() => ledger.kept(names)),
  };
  let going: { hooks: Hooks; end: (more: Partial<TryResult>) => void } | null = null;
  const perform = async (one: Try, hooks: Hooks): Promise<TryResult> => {
    if (hooks.signal.aborted) return resultOf(one, { end: 'cancelled', begun: false });
    await hooks.begin(world.whatOf?.(one.run) ?? world.what);
    world.begun.push(nameOf(one));
    const more = await new Promise<Partial<TryResult>>((resolve) => {
      going = { hooks, end: resolve };
      hooks.signal.addEventListener('abort', () => resolve({ end: 'cancelled', status: null }));
      if (hooks.signal.aborted) resolve({ end: 'cancelled', status: null });
    });
    going = null;
    return resultOf(one, more);
  };
  const pull = (said: QueuePull) =>
    step(async () => {
      world.pulls.push(structuredClone(said));
      const { lost, ...more } = await world.answer(said);
      if (lost) throw new EvenkeelError('node-unreachable', 'lost');
      const kept = said.results.map(nameOf);
      return { type: 'queue' as const, cluster: 'c', node: 'web1', next: null, cancel: null, kept, ...more };
    });
  const queue = createAgentQueue({
    ...{ ledger: guarded, perform, pull, boot: world.boot, chance: () => 1, clock, log: quiet },
    live: (piece) => world.live.push(piece),
    alarm: (code, message) => world.alarms.push(`${code}: ${message}`),
  });
  const stop = queue.start();
  return {
    queue,
    stop,
    finish: (more = {}) => going?.end(more),
    hooks: () => going?.hooks ?? null,
    killAfter: (steps) => {
      left = steps;
    },
    isDead,
    bury: async () => {
      if (!isDead()) await stop();
      await ledger.close();
    },
    settle: async () => {
      for (let calm = 0; calm < 4; calm += 1) {
        await clock.advance(0);
        await new Promise((resolve) => setImmediate(resolve));
        if (busy > 0) calm = -1;
      }
    },
  };
}
