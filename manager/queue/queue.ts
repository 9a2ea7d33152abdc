/** The queue: commands in the order of each node, handed out one try at a time, halted by a failure, and what people say of them. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import {
  type Command,
  cancelled,
  expired,
  isOpened,
  offered,
  over,
  type Renewed,
  retried,
  skipped,
  told,
} from '../../common/queue/command.ts';
import type { PausedQueue } from '../../common/queue/run.ts';
import type { Turn } from '../../common/queue/turn.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { QueueAnswer, QueuePull, TryResult } from '../../protocol/queue.ts';
import { createListeners } from '../store/listeners.ts';
import type { QueueRows } from '../store/queue.ts';
import type { Happening } from '../store/store.ts';
import { createInOrder } from './in-order.ts';
import { createLines } from './lines.ts';
import type { Live } from './live.ts';

export interface QueueOptions {
  rows: QueueRows;
  cluster: string;
  /** Whether the manager is held: then nothing is written. Whoever pulls is refused before he comes here. */
  held: () => boolean;
  isNode: (name: string) => boolean;
  /** Rings at a node: there is something for it. May be lost. */
  ring: (node: string) => void;
  emit: (happening: Happening) => void;
  live: Pick<Live, 'ended'>;
  clock: Clock;
  log: Log;
}

export interface Queue {
  /** Reads what is open; returns its undo. */
  start(): Promise<() => Promise<void>>;
  /** What a node tells and asks: results are kept when it resolves. */
  pull(node: string, pull: QueuePull): Promise<QueueAnswer>;
  /** Commands that the store has just taken. */
  added(commands: readonly Command[]): void;
  line(node: string): readonly Command[];
  paused(node: string): PausedQueue | undefined;
  /** @throws EvenkeelError not-possible */
  retry(node: string, renewed: Renewed, run: string): Promise<void>;
  skip(node: string, word: Word): Promise<void>;
  cancel(node: string, word: Word): Promise<void>;
  pause(queue: PausedQueue): Promise<void>;
  resume(node: string): Promise<void>;
  /**
   * Notes how far a rolling run has come with a node.
   * @param last the command of the run, should it be over by now; undefined: there is none
   */
  turned(run: string, node: string, turn: Turn, last: () => Command | undefined): Promise<void>;
  /** A node is no member any more: what waits for it is cancelled. */
  forget(node: string): Promise<void>;
  /** Hears of each command as it now stands, once that is kept; returns its undo. */
  onChanged(listener: (command: Command) => void): () => void;
}

/** What somebody says of a command: of the first, or that of a run. */
export interface Word {
  by: string;
  reason: string;
  run?: string | undefined;
}

const LOOK_MS = 1_000;

export function createQueue(options: QueueOptions): Queue {
  const { rows, cluster, held, isNode, ring, emit, live, clock, log } = options;
  const lines = createLines();
  const paused = new Map<string, PausedQueue>();
  const turns = createInOrder();
  const changed = createListeners<Command>(log);
  /** Nodes at which it was rung for the moment at which their first command is due. */
  const rung = new Map<string, number>();

  const save = async (before: Command, changedTo: Command, result?: TryResult) => {
    const since = changedTo.state === before.state ? before.since : clock.now();
    const after = { ...changedTo, since };
    await rows.save([{ command: after, ...(result && { result }) }]);
    lines.put(after);
    // Whoever sees that it is over has seen all that it said.
    if (result) live.ended(after.node, result);
    changed.tell(after);
    for (const happening of happeningsOf(before, after)) emit(happening);
  };
  const tell = async (node: string, result: TryResult) => {
    const command = lines.find(node, result.run);
    if (command) await save(command, told(command, result, clock.now()), result);
  };
  /** Those whose time is over before they begin go, wherever they stand. */
  const expire = async (node: string) => {
    for (const command of lines.of(node).filter(({ expires }) => expires !== null)) {
      const over = expired(command, clock.now());
      if (over) await save(command, over);
    }
  };
  const answer = async (
    node: string,
    { ledger, working }: QueuePull,
  ): Promise<Pick<QueueAnswer, 'next' | 'cancel'>> => {
    await expire(node);
    const head = lines.head(node);
    if (head === undefined) return { next: null, cancel: null };
    const { run, number } = head;
    if (working !== null) {
      const isThis = working.run === run && working.number === number;
      return { next: null, cancel: isThis && head.stopping ? { run, number } : null };
    }
    const { command, next } = offered(head, { ledger, now: clock.now(), paused: paused.has(node) });
    if (command !== head) await save(head, command);
    const isStopping = command.state === 'running' && command.stopping;
    return { next, cancel: isStopping ? { run, number } : null };
  };
  /** Of the command that is meant, what it becomes; the node hears of it. */
  const change = (node: string, run: string | undefined, make: (command: Command) => Command) =>
    turns.of(node, async () => {
      const command = run === undefined ? lines.head(node) : lines.find(node, run);
      if (command === undefined)
        throw new EvenkeelError(
          'not-possible',
          run === undefined ? `the queue of ${node} is empty` : `${run} is not open in the queue of ${node}`,
        );
      await save(command, make(command));
      ring(node);
    });
  const unkept = (node: string, err: unknown) =>
    log.error({ node, err: messageOf(err) }, 'what is over in a queue could not be kept');
  const forget = (node: string) =>
    turns.of(node, async () => {
      const ended = { by: 'manager', reason: 'the node was removed' };
      for (const command of [...lines.of(node)]) await save(command, over(command, 'cancelled', ended));
      await rows.unpause(node);
      paused.delete(node);
      rung.delete(node);
    });
  const look = () => {
    if (held()) return;
    const now = clock.now();
    for (const node of [...lines.nodes()]) {
      // Removed in the moment in which a run was made for it.
      if (!isNode(node)) {
        forget(node).catch((err: unknown) => unkept(node, err));
        continue;
      }
      const head = lines.head(node);
      if (head?.again && head.again <= now && rung.get(node) !== head.again) {
        rung.set(node, head.again);
        ring(node);
      }
      if (lines.of(node).some((command) => expired(command, now) !== null))
        turns.of(node, () => expire(node)).catch((err: unknown) => unkept(node, err));
    }
  };
  return {
    start: async () => {
      const { commands, paused: all } = await rows.load().catch((err: unknown) => {
        // Of a store that is damaged, and serves nothing else either, the manager still says so.
        if (!held()) throw err;
        log.warn({ err: messageOf(err) }, 'the queue cannot be read');
        return { commands: [], paused: [] };
      });
      for (const command of commands) lines.put(command);
      for (const queue of all) paused.set(queue.node, queue);
      const stop = clock.every(LOOK_MS, look);
      return async () => {
        stop();
        await turns.idle();
      };
    },
    pull: (node, pull) =>
      turns.of(node, async () => {
        for (const result of pull.results) await tell(node, result);
        const kept = pull.results.map(({ run, number }) => `${run}/${number}`);
        return { type: 'queue', cluster, node, kept, ...(await answer(node, pull)) };
      }),
    added: (commands) => {
      for (const command of commands) lines.put(command);
      // Where another one is under way or has failed, or nothing is handed out, there is nothing to come for.
      for (const node of new Set(commands.map((command) => command.node)))
        if (lines.head(node)?.state === 'waiting' && !paused.has(node)) ring(node);
    },
    onChanged: changed.add,
    line: lines.of,
    paused: (node) => paused.get(node),
    retry: (node, renewed, run) => change(node, run, (command) => retried(command, clock.now(), renewed)),
    skip: (node, { by, reason, run }) => change(node, run, (command) => skipped(command, by, reason)),
    cancel: (node, { by, reason, run }) => change(node, run, (command) => cancelled(command, by, reason)),
    pause: (queue) =>
      turns.of(queue.node, async () => {
        await rows.pause(queue);
        paused.set(queue.node, queue);
      }),
    resume: (node) =>
      turns.of(node, async () => {
        await rows.unpause(node);
        paused.delete(node);
        ring(node);
      }),
    turned: (run, node, turn, last) =>
      turns.of(node, async () => {
        const command = lines.find(node, run) ?? last();
        if (command === undefined) return;
        await save(command, { ...command, turn });
        if (isOpened({ turn })) ring(node);
      }),
    forget,
  };
}

/** What operators hear of: a queue that halts and goes on again, and what somebody has ended. */
function happeningsOf(before: Command, after: Command): Happening[] {
  if (after.state === before.state) return [];
  const { node, action, run } = after;
  const told = toldOf(after);
  return told ? [{ ...told, node, subject: action, data: { run } }] : [];
}

type Told = Pick<Happening, 'type' | 'severity' | 'message'>;

function toldOf({ state, number, action, error, ended }: Command): Told | undefined {
  const by = [`by ${ended?.by ?? 'the manager'}`, ended?.reason ?? ''].filter((one) => one !== '').join(': ');
  if (state === 'failed' && number === 1) {
    const message = `${action} failed, and the queue waits for it: ${error?.message ?? ''}`;
    return { type: 'queue.halted', severity: 'warning', message };
  }
  if (state === 'unknown') {
    const message = `whether ${action} was done is not known: retry it or skip it`;
    return { type: 'queue.halted', severity: 'error', message };
  }
  if (state === 'succeeded' && number > 1) {
    const message = `${action} has succeeded, try ${number}; the queue goes on`;
    return { type: 'queue.mended', severity: 'info', message };
  }
  if (state === 'skipped')
    return { type: 'queue.skipped', severity: 'info', message: `${action} was skipped ${by}` };
  if (state === 'cancelled')
    return { type: 'queue.cancelled', severity: 'info', message: `${action} was cancelled ${by}` };
  if (state !== 'expired') return undefined;
  return { type: 'queue.expired', severity: 'warning', message: `${action} was not begun in its time` };
}
