/** Report: how a pass ended, what a hand had changed, and who keeps changing it; each thing said once. */
import type { DriftReport, FightReport, UnitReport } from '../../protocol/messages.ts';
import type { Desired } from '../state/desired.ts';
import type { Fights } from './fights.ts';
import type { Ending, Pass } from './pass.ts';

type Body<T> = Omit<T, 'id' | 'session' | 'at'>;
export type ConvergeReport = Body<UnitReport> | Body<DriftReport> | Body<FightReport>;
export type UnitBody = Body<UnitReport>;

export interface Reporter {
  pass(pass: Pass, ending: Ending, digest: string): void;
  /** How each unit ended last. */
  last(): ReadonlyMap<string, UnitBody>;
  forget(unit: string): void;
  /** Says again how each unit ended last. */
  repeat(): void;
}

export interface ReporterOptions {
  desired: Desired;
  fights: Fights;
  report: (body: ConvergeReport) => void;
}

const MOST_HELD = 100;

export function createReporter({ desired, fights, report }: ReporterOptions): Reporter {
  const last = new Map<string, UnitBody>();
  const saidDrift = new Map<string, string>();

  const sayDrift = (unit: string, { repaired, diffs, found }: Pass['drift']) => {
    const gist = JSON.stringify(diffs);
    // What may not be repaired is seen again on every sweep.
    if (found.length === 0 || (!repaired && saidDrift.get(unit) === gist)) return;
    saidDrift.set(unit, gist);
    report({ type: 'drift', unit, action: repaired ? 'repaired' : 'reported', diffs });
    if (repaired) for (const { path } of found) sayFight(unit, path);
  };
  const sayFight = (unit: string, path: string) => {
    const count = fights.note(`${unit}/${path}`);
    if (count !== null) report({ type: 'fight', unit, path, count });
  };
  return {
    pass: (pass, { result, step, error }, digest) => {
      const { scopes, timing, diffs, drift } = pass;
      const unit = pass.unit.name;
      const { restarted } = pass.daemon;
      sayDrift(unit, drift);
      if (drift.found.length === 0) saidDrift.delete(unit);
      const held = desired.unit(unit).held().slice(0, MOST_HELD);
      const body: UnitBody = {
        type: 'unit',
        unit,
        scopes,
        digest,
        result,
        ...(error ? { step, error } : {}),
        held,
        timing: { ...timing },
        diffs,
      };
      const before = last.get(unit);
      last.set(unit, body);
      if (restarted !== null) report({ ...body, restarted });
      else if (before === undefined || gistOf(before) !== gistOf(body) || isNews(body)) report(body);
    },
    last: () => last,
    forget: (unit) => {
      last.delete(unit);
      saidDrift.delete(unit);
    },
    repeat: () => {
      for (const body of last.values()) report(body);
    },
  };
}

const isNews = ({ result }: UnitBody) =>
  result === 'changed' || result === 'corrected' || result === 'rolledBack';

/** What would make the same report news; that nothing had to be done any more does not. */
const gistOf = ({ scopes, digest, result, step, error, held }: UnitBody): string =>
  JSON.stringify([
    ...[scopes, digest, isWell(result) ? 'well' : result, step, error],
    held.map(({ detail: _, ...one }) => one),
  ]);

const isWell = (result: string) => result === 'unchanged' || result === 'changed' || result === 'corrected';
