/** Preflight on the manager: whether a box fits the cluster, by what it says of itself and by what is declared. */
import type { Clock } from '../common/clock.ts';
import { merged, skip } from '../common/findings.ts';
import { createReach, type Reach } from '../common/reach.ts';
import type { View } from '../common/view.ts';
import { EvenkeelError, type Problem } from '../protocol/errors.ts';
import type { Finding, Needs, Verdict } from '../protocol/preflight.ts';
import { HEALTH_PORT } from '../protocol/resources/cluster.ts';
import { addresses } from './preflight/addresses.ts';
import { type Knock, PATIENCE_MS, portsIn } from './preflight/knock.ts';
import { needsOf } from './preflight/needs.ts';
import { segment } from './preflight/segment.ts';
import type { Judging, Subject } from './preflight/subject.ts';
import { arch, clock as clockOf, os, version } from './preflight/system.ts';

export interface PreflightOptions {
  view(): View;
  ports: { machines: number; broker: number };
  /** The processor for which the agent is served; undefined where none is. */
  serves?: () => string | undefined;
  clock: Clock;
  reach?: Reach;
}

export interface Preflight {
  /** Pure: from what is declared now. */
  judge(subject: Subject): Finding[];
  needs(subject: Subject): Needs;
  /** Judges, and knocks at the health port. Keeps nothing. */
  verdict(subject: Subject, asks: { from: string; listens?: number | undefined }): Promise<Verdict>;
  /** @throws EvenkeelError preflight-failed with every check that fails */
  refuse(subject: Subject): void;
}

/** Boxes at whose port it knocks at one time. */
const MOST_KNOCKS = 20;
const BUSY = 'the manager tries many boxes just now; ask again';

export const judgedBy = (judging: Judging): Finding[] =>
  [os, arch, version, clockOf, addresses, segment].map((check) => check(judging));

export function createPreflight({
  view,
  ports,
  serves = () => undefined,
  clock,
  reach = createReach(clock, PATIENCE_MS),
}: PreflightOptions): Preflight {
  const judge = (subject: Subject) =>
    judgedBy({ ...subject, view: view(), now: clock.now(), serves: serves() });
  let knocking = 0;
  const knockOnce = async (knock: Knock) => {
    knocking += 1;
    return portsIn(knock, reach).finally(() => {
      knocking -= 1;
    });
  };
  return {
    judge,
    needs: (subject) => needsOf(subject, view()),
    verdict: async (subject, { from, listens }) => {
      const health = view().Cluster.get('cluster')?.spec.health.port ?? HEALTH_PORT;
      const knock = { address: subject.facts.address, from, listens, health };
      const knocked = await (knocking >= MOST_KNOCKS ? skip('ports-in', BUSY) : knockOnce(knock));
      return {
        checks: merged([...judge(subject), knocked]),
        needs: needsOf(subject, view()),
        ports: { ...ports, health },
      };
    },
    refuse: (subject) => {
      const failing = judge(subject).filter(({ state }) => state === 'fail');
      const [first] = failing;
      if (!first) return;
      const problems = failing.map(
        ({ name, found, fix }): Problem => ({
          ...{ code: 'preflight-failed', path: name, message: found },
          ...(fix === undefined ? {} : { fix }),
        }),
      );
      throw new EvenkeelError('preflight-failed', `${first.name}: ${first.found}`, { problems });
    },
  };
}
