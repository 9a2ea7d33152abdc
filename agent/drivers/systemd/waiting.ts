/** Waiting for systemd: for what others have begun, and for a start that nobody works at any more. */
import type { Clock } from '../../../common/clock.ts';
import { isAnyOfUnit } from '../../../common/processes.ts';
import type { ResolvedService } from '../../../common/render/resolved.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { Systemctl, UnitState } from './systemctl.ts';
import { unitOf } from './unit.ts';
import { SLACK_MS, STEPS } from './units.ts';

/** How often to look whether a daemon that is starting is still there. */
const LOOK_MS = 500;
/** So many looks in a row find nobody left of it. */
const EMPTY_LOOKS = 3;

export interface Waiting {
  /**
   * Until systemd does no more with the daemon what an operator, a package or an agent before this one has begun: a
   * restart that takes its time is none of ours to end. @throws EvenkeelError systemd-failed when it does not end
   */
  untilDone(service: ResolvedService): Promise<UnitState>;
  /** Ends a start of ours when it is over; null when the signal comes first. */
  endsWhenOver(service: ResolvedService, signal: AbortSignal): Promise<UnitState | null>;
}

export function createWaiting(systemctl: Systemctl, clock: Clock): Waiting {
  /**
   * systemd waits for a pid file also when nobody is left to write it (measured with 252). One look may fall between a
   * process that forks and its child (seen), so that it counts only in a row.
   */
  const overOf = (unit: string) => {
    let empty = 0;
    return (now: UnitState): boolean => {
      empty = isForPidFile(now) && !isAnyOfUnit(unit) ? empty + 1 : 0;
      return empty >= EMPTY_LOOKS;
    };
  };
  return {
    untilDone: async (service) => {
      const unit = unitOf(service);
      const end = clock.monotonic() + (STEPS + 1) * service.timeout + SLACK_MS;
      const isOver = overOf(unit);
      for (;;) {
        const now = await systemctl.show(unit);
        if (!isUnderWay(now) || isOver(now)) return now;
        if (clock.monotonic() >= end)
          throw new EvenkeelError('systemd-failed', `${service.name} is ${now.active} for too long`);
        await clock.sleep(LOOK_MS);
      }
    },
    endsWhenOver: async (service, signal) => {
      const unit = unitOf(service);
      const isOver = overOf(unit);
      for (;;) {
        await clock.sleep(LOOK_MS, signal).catch(() => undefined);
        if (signal.aborted) return null;
        if (!isOver(await systemctl.show(unit))) continue;
        // Asked once more: its time may have been over meanwhile.
        const now = await systemctl.show(unit);
        if (!isForPidFile(now) || signal.aborted) continue;
        await systemctl.tell('stop', unit, SLACK_MS);
        return now;
      }
    },
  };
}

/** A daemon that died by itself has no job: it is started at once, by whoever sees it. */
const isUnderWay = ({ active, hasJob }: UnitState): boolean => hasJob || active === 'activating';

/** All that it was to run has ended. Between two starts of its own (a drop-in with Restart=) it waits for no file. */
const isForPidFile = ({ sub, control }: UnitState): boolean => sub === 'start' && control === null;
