/** The node's own checks: run for every unit that is good, and told to the manager on each change and after each new connection. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import type { ReportBody } from '../link/outbox.ts';
import type { RunCheck } from '../probe/check.ts';
import { createProbes, type ProbeState } from '../probe/probes.ts';

export interface ChecksOptions {
  runCheck: RunCheck;
  report: (body: ReportBody) => void;
  /** A check of a unit has failed: its service may need a look. */
  failed: (unit: string) => void;
  clock: Clock;
  log: Log;
}

export interface Checks {
  /** What is checked for a unit from now on; none when the unit is gone. */
  set(unit: string, checks: readonly ResolvedCheck[]): void;
  /** Says every judged state again: a new session has begun. */
  again(): void;
  /** The daemon of a unit is gone: whether it is missed is asked at once. */
  confirm(unit: string): void;
  /** Runs everything soon, and at half the interval for a while. */
  hurry(): void;
  /** What is judged of each check. */
  current(): Pick<ProbeState, 'unit' | 'check' | 'state' | 'detail'>[];
  stop(): Promise<void>;
}

const HURRY_MS = 10_000;

export function createChecks({ runCheck, report, failed, clock, log }: ChecksOptions): Checks {
  const probes = createProbes({ clock, log, runCheck });
  const say = (unit: string, check: string, state: 'up' | 'down' | 'unknown', detail: string) =>
    report({ type: 'check', unit, check, state, detail });
  const undo = probes.onChange((unit, check, state, detail) => {
    say(unit, check, state, detail);
    if (state === 'down') failed(unit);
  });
  return {
    set: (unit, checks) => {
      const kept = new Set(checks.map(({ name }) => name));
      const gone = probes.current().filter((one) => one.unit === unit && !kept.has(one.check));
      probes.set(unit, checks);
      // Else what was said of it last would stand for ever.
      for (const { check } of gone) say(unit, check, 'unknown', 'not checked any more');
    },
    again: () => {
      for (const { unit, check, state, detail } of probes.current())
        if (state !== 'unknown') say(unit, check, state, detail);
    },
    confirm: probes.confirm,
    hurry: () => probes.hurry(HURRY_MS),
    current: probes.current,
    stop: async () => {
      undo();
      await probes.stop();
    },
  };
}
