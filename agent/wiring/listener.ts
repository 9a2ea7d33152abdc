/** The node's word about itself: the health listener, with what it needs to know. It asks nobody and waits for nothing. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { results } from '../../protocol/messages.ts';
import { HEALTH_PORT } from '../../protocol/resources/cluster.ts';
import type { Units } from '../converge/units.ts';
import { createAlarms } from '../link/alarms.ts';
import type { ReportBody } from '../link/outbox.ts';
import { answerOf, type Known } from '../listener/answer.ts';
import { createListener, type Listener } from '../listener/listener.ts';
import type { Desired } from '../state/desired.ts';
import type { Checks } from './checks.ts';

export interface SpeakerOptions {
  node: string;
  desired: Pick<Desired, 'get' | 'list'>;
  units: Pick<Units, 'state'>;
  checks: Pick<Checks, 'current'>;
  report: (body: ReportBody) => void;
  clock: Clock;
  log: Log;
}

export interface Speaker extends Pick<Listener, 'look' | 'start'> {
  /** Says again that it cannot listen: a new session has begun. */
  again(): void;
}

const SUBJECT = 'health listener';

export function createSpeaker({ node, desired, units, checks, report, clock, log }: SpeakerOptions): Speaker {
  const alarms = createAlarms(report);
  const known = (): Known => ({
    node: desired.get('Node', node),
    cluster: desired.get('Cluster', 'cluster'),
    services: desired.list('VirtualService'),
    policies: desired.list('Policy'),
    units: new Map(
      units.state().flatMap(({ unit, result }) => {
        const ended = results.find((one) => one === result);
        return ended === undefined ? [] : [[unit, { result: ended }]];
      }),
    ),
    checks: new Map(checks.current().map(({ unit, check, ...judged }) => [`${unit}/${check}`, judged])),
  });
  const { look, start } = createListener({
    place: () => {
      const self = desired.get('Node', node);
      const cluster = desired.get('Cluster', 'cluster');
      if (!self || !cluster) return null;
      return { address: self.spec.address, port: cluster.spec.health?.port ?? HEALTH_PORT };
    },
    answer: (question) => answerOf(question, known(), clock.now()),
    failed: (reason) => {
      if (reason === null) alarms.clear('driver-failed', SUBJECT);
      else alarms.raise('driver-failed', SUBJECT, reason);
    },
    clock,
    log,
  });
  return { look, start, again: alarms.repeat };
}
