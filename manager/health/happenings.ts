/** Happenings: what a node's report means to a person, as event lines; none where it says what was told before. */
import { sha256 } from '../../common/digest.ts';
import type { AlarmReport, CheckReport, DriftReport, Report, UnitReport } from '../../protocol/messages.ts';
import type { EventLine } from '../../protocol/views.ts';

/** An event before it has its number and moment. */
export type Happening = Omit<EventLine, 'id' | 'at'>;

/** An alarm in what people are told of it. */
export type Alarm = Record<'code' | 'subject' | 'message', string>;

/** @param told what people were told of this node before the report */
export function happeningsOf(node: string, report: Report, told: ReadonlyMap<string, string>): Happening[] {
  switch (report.type) {
    case 'unit':
      return [...ofRestart(node, report), ...ofUnit(node, report, told.get(unitKey(report.unit)))];
    case 'check':
      return ofCheck(node, report, told.get(checkKey(report)));
    case 'alarm':
      return ofAlarm(node, report, told.get(alarmKey(report)));
    case 'drift':
      return [ofDrift(node, report)];
    case 'fight':
      return [
        {
          type: 'fight',
          severity: 'error',
          node,
          subject: report.path,
          message: `${report.path} was corrected ${report.count} times in a short while: something else keeps changing it`,
          data: { unit: report.unit, count: report.count },
        },
      ];
    case 'pool':
      // What balancers really have becomes an event where all directors are seen together.
      return [];
    case 'storage':
      // So does a move: by the job that sees all nodes of it.
      return [];
  }
}

export const unitKey = (unit: string): string => `unit/${unit}`;
export const checkKey = ({ unit, check }: CheckReport): string => `check/${unit}/${check}`;
export const alarmKey = ({ code, subject }: AlarmReport): string => `alarm/${code}/${subject}`;

const severityOf: Record<UnitReport['result'], Happening['severity']> = {
  unchanged: 'info',
  changed: 'info',
  corrected: 'info',
  held: 'warning',
  rolledBack: 'error',
  failed: 'error',
};

function ofRestart(node: string, { unit, restarted }: UnitReport): Happening[] {
  if (restarted === undefined) return [];
  const message = `${restarted} died on ${node} and was started again`;
  return [{ type: 'service.restarted', severity: 'warning', node, subject: unit, message }];
}

const MOST_NAMED = 5;

function ofUnit(node: string, report: UnitReport, before: string | undefined): Happening[] {
  const outcome = outcomeOf(report);
  if (outcome === before) return [];
  if (report.result === 'unchanged' && (before === undefined || isWellOutcome(before))) return [];
  const { unit, result, error, held } = report;
  const because = error ? `: ${error.message}` : '';
  const names = held.slice(0, MOST_NAMED).map(({ kind, name, reason }) => `${kind}/${name}: ${reason}`);
  const more = held.length > MOST_NAMED ? `; and ${held.length - MOST_NAMED} more` : '';
  // Who waits for a site looks for its name: it comes first.
  const message =
    result === 'held' && !error && names.length > 0
      ? `${names.join('; ')}${more} (held back; the rest of ${unit} is live)`
      : `${unit} ${result}${because}${names.length > 0 ? `; held back: ${names.join('; ')}${more}` : ''}`;
  const { digest, step, timing, diffs } = report;
  return [
    {
      type: `unit.${result}`,
      severity: severityOf[result],
      node,
      subject: unit,
      message,
      data: { outcome, digest, step, error, held, timing, diffs },
    },
  ];
}

/** How a unit ended, as far as it is news: of one that is well, only which tree it serves. */
export function outcomeOf({ result, digest, error, held }: UnitReport): string {
  const items = held.map(({ kind, name, serving, reason }) => [kind, name, serving, reason]);
  const rest = sha256(JSON.stringify([digest, error?.message ?? null, items])).slice(0, 16);
  return `${isWell(result) ? WELL : result} ${rest}`;
}

const WELL = 'well';
const isWell = (result: string) => result === 'unchanged' || result === 'changed' || result === 'corrected';
const isWellOutcome = (outcome: string) => outcome.startsWith(`${WELL} `);

function ofCheck(node: string, report: CheckReport, was: string | undefined): Happening[] {
  const { state, unit, check, detail } = report;
  if (state === was || state === 'unknown') return [];
  if (was === undefined && state === 'up') return [];
  return [
    {
      type: `check.${state}`,
      severity: state === 'up' ? 'info' : 'error',
      node,
      subject: `${unit}/${check}`,
      message: `${unit}/${check} is ${state}: ${detail}`,
    },
  ];
}

/** Alarms about what is served all the same. */
const mild = new Set(['directory-missing']);

function ofAlarm(node: string, report: AlarmReport, before: string | undefined): Happening[] {
  const { active, subject, message, code } = report;
  if (active ? message === before : before === undefined) return [];
  if (!active) return [clearedAlarm(node, report)];
  const severity = mild.has(code) ? 'warning' : 'error';
  return [{ type: 'alarm.raised', severity, node, subject, message, data: { code } }];
}

export const clearedAlarm = (node: string, { code, subject, message }: Alarm): Happening => ({
  type: 'alarm.cleared',
  severity: 'info',
  node,
  subject,
  message: `no longer: ${message}`,
  data: { code },
});

/** Paths as an operator knows them: those of `evenkeel render`. */
function ofDrift(node: string, { unit, action, diffs }: DriftReport): Happening {
  const paths = diffs.map(({ path }) => path);
  const named = paths.slice(0, MOST_NAMED).join(', ');
  const more = paths.length > MOST_NAMED ? ` and ${paths.length - MOST_NAMED} more` : '';
  const were = paths.length === 1 ? 'was' : 'were';
  const did = action === 'repaired' ? 'put back' : 'left so, since nothing may be changed there now';
  return {
    type: `drift.${action}`,
    severity: 'warning',
    node,
    subject: unit,
    message: `${named}${more} of ${unit} ${were} not as declared: ${did}`,
    data: { diffs },
  };
}
