/** Probes: runs checks for ever, each at its own pace, and says when a judged state changes. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../common/clock.ts';
import { createGate } from '../../common/gate.ts';
import { type Judgement, judge, unjudged, type Verdict } from '../../common/health/judge.ts';
import type { Log } from '../../common/log.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { RunCheck } from './check.ts';

export type ProbeListener = (unit: string, check: string, state: Verdict, detail: string) => void;

export interface ProbeState {
  unit: string;
  check: string;
  state: Verdict;
  detail: string;
  /** In the clock's monotonic time. */
  since: number;
}

export interface Probes {
  /**
   * Says what is to be checked for a unit from now on; what is the same as before keeps its state.
   * @param begin the state from which a check that is new begins
   */
  set(unit: string, checks: readonly ResolvedCheck[], begin?: (check: ResolvedCheck) => Verdict): void;
  /** Called on each change of a judged state. */
  onChange(listener: ProbeListener): () => void;
  current(): ProbeState[];
  /**
   * Something is known to be wrong with what a unit serves: asks at once, and believes the first answer that says so,
   * however many the check wants. Checks of the box itself go on as they do.
   */
  confirm(unit: string): void;
  /** Runs everything soon, and at half the interval for some milliseconds. */
  hurry(ms: number): void;
  /** Ends all checks and waits for those that run. */
  stop(): Promise<void>;
}

export interface ProbesOptions {
  clock: Clock;
  log: Log;
  runCheck: RunCheck;
  /** Spreads the first runs; from 0 to 1. */
  random?: () => number;
  /** How many checks may run at the same time. */
  width?: number;
}

interface Entry {
  unit: string;
  check: ResolvedCheck;
  judgement: Judgement;
  detail: string;
  /** The next run is believed alone when it fails. */
  confirms: boolean;
  ended: AbortController;
  /** Undoes the timer of the next run; undefined while the check runs. */
  cancel: (() => void) | undefined;
  running: Promise<void>;
}

export function createProbes({
  clock,
  log,
  runCheck,
  random = Math.random,
  width = 16,
}: ProbesOptions): Probes {
  const units = new Map<string, Map<string, Entry>>();
  const listeners = new Set<ProbeListener>();
  const gate = createGate(width);
  let hurriedUntil = 0;

  const entries = () => [...units.values()].flatMap((checks) => [...checks.values()]);
  const tell = ({ unit, check, judgement, detail }: Entry) => {
    for (const listener of listeners) listener(unit, check.name, judgement.state, detail);
  };
  const pace = ({ check }: Entry) => (clock.monotonic() < hurriedUntil ? check.interval / 2 : check.interval);
  const schedule = (entry: Entry, ms: number) => {
    entry.cancel?.();
    entry.cancel = clock.after(ms, () => {
      entry.cancel = undefined;
      entry.running = turn(entry);
    });
  };
  const turn = async (entry: Entry) => {
    const started = clock.monotonic();
    const { confirms } = entry;
    entry.confirms = false;
    try {
      const result = await gate(() => runCheck(entry.check, { signal: entry.ended.signal }));
      if (!entry.ended.signal.aborted) take(entry, result, confirms);
    } catch (err) {
      log.error(
        { unit: entry.unit, check: entry.check.name, err: messageOf(err) },
        'a check could not be run',
      );
    }
    if (entry.ended.signal.aborted) return;
    schedule(entry, entry.confirms ? 0 : Math.max(0, started + pace(entry) - clock.monotonic()));
  };
  const take = (entry: Entry, { ok, detail }: { ok: boolean; detail: string }, confirms: boolean) => {
    const before = entry.judgement.state;
    const { fall, rise } = entry.check;
    entry.judgement = judge(entry.judgement, ok, { fall: confirms ? 1 : fall, rise }, clock.monotonic());
    entry.detail = detail;
    if (entry.judgement.state !== before) tell(entry);
  };
  const open = (unit: string, check: ResolvedCheck, state: Verdict): Entry => {
    const entry: Entry = {
      unit,
      check,
      judgement: unjudged(clock.monotonic(), state),
      detail: '',
      confirms: false,
      ended: new AbortController(),
      cancel: undefined,
      running: Promise.resolve(),
    };
    schedule(entry, random() * Math.min(check.interval, SPREAD_MS));
    return entry;
  };
  const close = (entry: Entry): Promise<void> => {
    entry.cancel?.();
    entry.ended.abort(new Error('the check was withdrawn'));
    return entry.running;
  };

  return {
    set: (unit, checks, begin = () => 'unknown') => {
      const before = units.get(unit) ?? new Map<string, Entry>();
      const after = new Map<string, Entry>();
      for (const check of checks) {
        const known = before.get(check.name);
        const same = known !== undefined && isDeepStrictEqual(known.check, check);
        const entry = same ? known : open(unit, check, begin(check));
        after.set(check.name, entry);
        if (known && known.judgement.state !== entry.judgement.state) tell(entry);
      }
      units.set(unit, after);
      if (after.size === 0) units.delete(unit);
      for (const [name, entry] of before) if (after.get(name) !== entry) void close(entry);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    current: () =>
      entries().map(({ unit, check, judgement, detail }) => ({
        unit,
        check: check.name,
        state: judgement.state,
        detail,
        since: judgement.since,
      })),
    confirm: (unit) => {
      for (const entry of units.get(unit)?.values() ?? []) {
        if (!isOfDaemon(entry.check)) continue;
        entry.confirms = true;
        if (entry.cancel) schedule(entry, 0);
      }
    },
    hurry: (ms) => {
      hurriedUntil = Math.max(hurriedUntil, clock.monotonic() + ms);
      for (const entry of entries())
        if (entry.cancel) schedule(entry, random() * Math.min(entry.check.interval / 2, SPREAD_MS));
    },
    stop: async () => {
      const all = entries();
      units.clear();
      listeners.clear();
      await Promise.all(all.map(close));
    },
  };
}

/** It speaks of a daemon, and not of the box. */
const isOfDaemon = (check: ResolvedCheck): boolean => check.type === 'process' || 'port' in check;

/** First runs are spread over the interval, but a check once an hour still begins soon. */
const SPREAD_MS = 2000;
