/** The conductor of this node's queue: pulls what is to be done, does one try at a time, and tells how it ended until that is receipted. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { type Again, createLoop } from '../../common/loop.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { LiveOutput, QueueAnswer, QueuePull, Try, TryResult } from '../../protocol/queue.ts';
import { endLeftover, endMarked } from './group.ts';
import { type Begun, type Ledger, nameOf, type Unended } from './ledger.ts';
import { type Perform, STOPPING } from './perform.ts';

export interface AgentQueueOptions {
  ledger: Ledger;
  perform: Perform;
  /** @throws EvenkeelError what the manager refuses, or node-unreachable */
  pull: (said: QueuePull) => Promise<QueueAnswer | { againAfter: number }>;
  live: (piece: LiveOutput) => void;
  /** An empty message says that it is over. */
  alarm: (code: 'store-damaged' | 'write-failed', message: string) => void;
  /** Of the box: another one after it was started anew. */
  boot: string;
  /** From 0 to 1: spreads those who failed in one moment. */
  chance?: () => number;
  clock: Clock;
  log: Log;
}

export interface AgentQueue {
  /** Takes up where an earlier run left off; returns its undo, which ends what runs. */
  start(): () => Promise<void>;
  /** There is something to do. */
  ring(): void;
  /** The manager is reached. */
  connected(): void;
}

const KEY = 'queue';
const IDLE_MS = 60_000;
/** The manager asks for what is over: it gets the result now, and is not asked again at once whatever it says then. */
const SOON_MS = 1_000;
const WAIT = { first: 500, cap: 60_000 };
/** As many as one pull takes. */
const MOST_RESULTS = 8;

const CANCELLED = new Error('it was cancelled');

type Named = Pick<Try, 'run' | 'number'>;

interface Working {
  try: Try;
  stop: AbortController;
  done: Promise<void>;
}

export function createAgentQueue(options: AgentQueueOptions): AgentQueue {
  const { ledger, pull, alarm, clock, log, chance = Math.random } = options;
  let working: Working | null = null;
  let [isRead, isOpen] = [false, false];
  let isStopping = false;
  let failures = 0;

  const waitAfter = (tries: number) => Math.min(WAIT.cap, WAIT.first * 2 ** tries) * (0.5 + chance() / 2);
  const full = createFullness(alarm);
  const carry = (wanted: Try, delay: number) => {
    const stop = new AbortController();
    const attempt = createAttempt(options, { full, waitAfter });
    const done = attempt(wanted, delay, stop.signal)
      .then((result) => (result ? ledger.end(result) : undefined))
      .catch((err: unknown) => log.error({ run: wanted.run, err: messageOf(err) }, 'a try has no end'))
      .finally(() => {
        working = null;
        loop.put(KEY);
      });
    working = { try: wanted, stop, done };
  };
  const open = async () => {
    if (isOpen) return;
    if (!isRead) await full.watch(ledger.open());
    isRead = true;
    alarm('store-damaged', ledger.damage() ?? '');
    const before = ledger.current();
    if (before?.begun) await ledger.end(await afterDeath(before, before.begun, options));
    // Not before: a try that has no end would be one that nobody works on.
    isOpen = true;
  };
  /** @returns milliseconds after which it is time again */
  const take = async (next: Try): Promise<number> => {
    const state = ledger.stateOf(nameOf(next));
    if (state === 'ended') {
      ledger.owe(nameOf(next));
      return SOON_MS;
    }
    if (working !== null || isStopping || ledger.current()?.begun) return IDLE_MS;
    if (state === undefined) {
      await full.watch(ledger.take(next));
      log.info({ run: next.run, number: next.number, action: next.action }, 'try taken');
    }
    // Of one that an earlier run of the agent has taken and not begun, the wait is over.
    carry(next, state === undefined ? next.delay : 0);
    return IDLE_MS;
  };
  /** @returns whether there is a result to tell by now */
  const cancel = async (unwanted: Named): Promise<boolean> => {
    const name = nameOf(unwanted);
    if (ledger.stateOf(name) === 'ended') ledger.owe(name);
    else if (working && nameOf(working.try) === name) {
      working.stop.abort(CANCELLED);
      return false;
    }
    // Never begun here, and known from now on: should it be handed out late, it is not begun.
    else await ledger.end(notBegun(unwanted, moment(clock), clock));
    return true;
  };
  const ask = async (): Promise<number> => {
    const results = ledger.owed().slice(0, MOST_RESULTS);
    const at = working?.try;
    const answer = await pull({
      ...{ ledger: ledger.id(), results },
      working: at ? { run: at.run, number: at.number } : null,
    });
    if ('againAfter' in answer) return answer.againAfter;
    const kept = results.map(nameOf).filter((name) => answer.kept.includes(name));
    await ledger.kept(kept);
    const isOwing = answer.cancel !== null && (await cancel(answer.cancel));
    const again = answer.next ? await take(answer.next) : IDLE_MS;
    return isOwing || (kept.length > 0 && ledger.owed().length > 0) ? SOON_MS : again;
  };
  const work = async (): Promise<Again> => {
    try {
      await open();
      const again = await ask();
      failures = 0;
      return { againAfter: again };
    } catch (err) {
      if (failures === 0) log.warn({ err: messageOf(err) }, 'the queue was not pulled; it is tried again');
      failures += 1;
      return { againAfter: waitAfter(failures - 1) };
    }
  };
  const loop = createLoop({ clock, log, work });
  const put = () => loop.put(KEY);
  return {
    start: () => {
      put();
      return async () => {
        isStopping = true;
        const stopped = loop.stop();
        working?.stop.abort(STOPPING);
        await working?.done;
        await stopped;
        await ledger.close();
      };
    },
    ring: put,
    connected: put,
  };
}

/** Told when the disk takes nothing, and once when it does again. */
function createFullness(alarm: AgentQueueOptions['alarm']) {
  let isFull = false;
  return {
    /** @throws what the work throws */
    watch: async (work: Promise<void>): Promise<void> => {
      try {
        await work;
      } catch (err) {
        if (err instanceof EvenkeelError && err.code === 'write-failed') {
          isFull = true;
          alarm('write-failed', `no command begins: ${err.message}`);
        }
        throw err;
      }
      if (isFull) alarm('write-failed', '');
      isFull = false;
    },
  };
}

interface Means {
  full: ReturnType<typeof createFullness>;
  waitAfter: (tries: number) => number;
}

type Attempt = (wanted: Try, delay: number, signal: AbortSignal) => Promise<TryResult | null>;

/** One try, from its wait to its end. Null when the agent stops and the next one can go on from what the ledger says. */
function createAttempt(options: AgentQueueOptions, { full, waitAfter }: Means): Attempt {
  const { ledger, perform, live, boot, clock, log } = options;
  const waits = (ms: number, signal: AbortSignal) =>
    clock.sleep(ms, signal).then(
      () => true,
      () => false,
    );
  const begin = (what: Pick<Begun, 'idempotent' | 'reboots'>) =>
    full.watch(ledger.begin({ ...what, boot, at: moment(clock) }));
  const once = (wanted: Try, signal: AbortSignal): Promise<TryResult> => {
    const { run, number } = wanted;
    return perform(wanted, {
      begin,
      leads: (leader) => void ledger.lead(leader),
      live: (text, at) => live({ run, number, at, text }),
      signal,
    });
  };
  return async (wanted, delay, signal) => {
    const from = moment(clock);
    let wait = delay;
    for (let tries = 0; wait === 0 || (await waits(wait, signal)); tries += 1) {
      try {
        return endedBy(signal, await once(wanted, signal), ledger.current()?.begun ?? null);
      } catch (err) {
        log.error({ run: wanted.run, err: messageOf(err) }, 'the try could not begin; it waits');
        const begun = ledger.current()?.begun;
        if (begun) return { ...blank(wanted, from, clock), ...unseen(begun, messageOf(err)) };
        wait = waitAfter(tries);
      }
    }
    return endedBy(signal, notBegun(wanted, from, clock), null);
  };
}

/** Who is ended because the agent stops was not cancelled by anybody. */
function endedBy({ reason }: AbortSignal, result: TryResult, begun: Begun | null): TryResult | null {
  if (reason !== STOPPING || result.end !== 'cancelled') return result;
  // The box may be going down as it was told: only its next boot knows.
  if (begun === null || begun.reboots) return null;
  return { ...result, ...unseen({ idempotent: begun.idempotent || !result.begun }, 'the agent was stopped') };
}

const blank = ({ run, number }: Named, from: string, clock: Clock): Omit<TryResult, 'end'> => ({
  ...{ run, number, already: false, begun: true, status: null, error: null, output: '', omitted: 0 },
  ...{ from, to: moment(clock) },
});

const notBegun = (which: Named, from: string, clock: Clock): TryResult => ({
  ...blank(which, from, clock),
  ...{ end: 'cancelled', begun: false },
});

/** Nobody saw the end of what was begun. What may be done twice has failed; of what may not, a person decides. */
function unseen({ idempotent }: Pick<Begun, 'idempotent'>, why: string): Pick<TryResult, 'end' | 'error'> {
  const fate = idempotent ? 'it may be done again' : 'whether it was done is not known';
  return {
    end: idempotent ? 'failed' : 'unknown',
    error: { code: 'interrupted', message: `${why} in the middle of it; ${fate}` },
  };
}

/** An earlier run of the agent began it, and died. */
async function afterDeath(
  { try: wanted, leader }: Unended,
  begun: Begun,
  { boot, clock, log }: AgentQueueOptions,
): Promise<TryResult> {
  const isSameBoot = boot === begun.boot;
  // Done again beside what is left of it, it would be done twice.
  const ended = () => (leader ? endLeftover(leader, clock) : endMarked(nameOf(wanted), clock));
  const left = isSameBoot ? await ended() : [];
  if (left.length > 0) log.error({ run: wanted.run, left }, 'what an earlier try left behind did not end');
  const result = blank(wanted, begun.at, clock);
  if (!begun.reboots)
    return { ...result, ...unseen(begun, isSameBoot ? 'the agent died' : 'the box went down') };
  if (!isSameBoot) return { ...result, end: 'succeeded' };
  const message = 'the box was told to reboot; the agent was started again, and the box was not';
  return { ...result, end: 'failed', error: { code: 'command-failed', message } };
}
