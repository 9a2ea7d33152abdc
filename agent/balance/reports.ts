/** Reports of a director: sent when what the balancer has differs from what was last said, and not too often. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../common/clock.ts';
import type { PoolReport } from '../../protocol/messages.ts';

/** A report before the link gives it id, session and moment. */
export type PoolReportBody = Omit<PoolReport, 'id' | 'session' | 'at'>;

export interface Reporter {
  /** Returns how many milliseconds to wait before it can be said, when it is too soon; else undefined. */
  offer(report: PoolReportBody): number | undefined;
  /** Forgets what was said, so that everything is said again. */
  again(): void;
}

const AT_MOST_EVERY_MS = 200;

export function createReporter({
  clock,
  send,
}: {
  clock: Clock;
  send: (report: PoolReportBody) => void;
}): Reporter {
  const said = new Map<string, { report: PoolReportBody; at: number }>();
  return {
    offer: (report) => {
      const before = said.get(report.service);
      if (before && isDeepStrictEqual(essence(before.report), essence(report))) return undefined;
      const wait = before ? before.at + AT_MOST_EVERY_MS - clock.monotonic() : 0;
      if (wait > 0) return wait;
      said.set(report.service, { report, at: clock.monotonic() });
      send(report);
      return undefined;
    },
    again: () => said.clear(),
  };
}

/** Connections come and go all the time; they are news only where a drain waits for them. */
const essence = ({ members, ...rest }: PoolReportBody) => ({
  ...rest,
  members: members.map((member) => ({
    ...member,
    connections: member.state === 'drain' ? member.connections : 0,
  })),
});
