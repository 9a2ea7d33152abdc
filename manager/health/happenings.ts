/** Happenings: what a node's report means to a person, as an event line; nothing where nothing has changed. */
import type { AlarmReport, CheckReport, Report, UnitReport } from '../../protocol/messages.ts';
import type { EventLine } from '../../protocol/views.ts';
import type { NodeMemory, UnitStand } from './memory.ts';

/** An event before it has its number and moment. */
export type Happening = Omit<EventLine, 'id' | 'at'>;

/** @param memory what was known before the report */
export function happeningOf(node: string, report: Report, memory: NodeMemory): Happening | null {
  switch (report.type) {
    case 'unit':
      return ofUnit(node, report, memory.units.get(report.unit));
    case 'check':
      return ofCheck(node, report, memory.checks.get(`${report.unit}/${report.check}`));
    case 'alarm':
      return ofAlarm(node, report, memory.alarms.get(alarmKey(report)));
    case 'drift':
      return {
        type: `drift.${report.action}`,
        severity: 'warning',
        node,
        subject: report.unit,
        message: `${report.diffs.length} paths of ${report.unit} differed from what is declared: ${report.action}`,
        data: { diffs: report.diffs },
      };
    case 'fight':
      return {
        type: 'fight',
        severity: 'error',
        node,
        subject: report.path,
        message: `${report.path} was corrected ${report.count} times in a short while: something else keeps changing it`,
        data: { unit: report.unit, count: report.count },
      };
    case 'pool':
      // What balancers really have becomes an event where all directors are seen together.
      return null;
  }
}

export const alarmKey = ({ code, subject }: AlarmReport): string => `${code}/${subject}`;

const severityOf: Record<UnitReport['result'], Happening['severity']> = {
  unchanged: 'info',
  changed: 'info',
  corrected: 'info',
  held: 'warning',
  rolledBack: 'error',
  failed: 'error',
};

function ofUnit(node: string, report: UnitReport, before: UnitStand | undefined): Happening | null {
  if (outcomeOf(report) === (before && outcomeOf(before))) return null;
  if (report.result === 'unchanged' && (before === undefined || isWell(before))) return null;
  const because = report.error ? `: ${report.error.message}` : '';
  const held = report.held.map(({ kind, name, reason }) => `${kind}/${name} (${reason})`);
  return {
    type: `unit.${report.result}`,
    severity: severityOf[report.result],
    node,
    subject: report.unit,
    message: `${report.unit} ${report.result}${because}${held.length > 0 ? `; held back: ${held.slice(0, 5).join(', ')}` : ''}`,
    data: {
      digest: report.digest,
      step: report.step,
      error: report.error,
      held: report.held,
      timing: report.timing,
      diffs: report.diffs,
    },
  };
}

const isWell = ({ result }: { result: string }): boolean =>
  result === 'unchanged' || result === 'changed' || result === 'corrected';

const outcomeOf = ({ result, digest, error, held }: UnitStand): string =>
  JSON.stringify([result, digest, error, held]);

function ofCheck(node: string, report: CheckReport, before: CheckReport | undefined): Happening | null {
  const was = before?.state ?? 'unknown';
  if (report.state === was || report.state === 'unknown') return null;
  if (was === 'unknown' && report.state === 'up') return null;
  return {
    type: `check.${report.state}`,
    severity: report.state === 'up' ? 'info' : 'error',
    node,
    subject: `${report.unit}/${report.check}`,
    message: `${report.unit}/${report.check} is ${report.state}: ${report.detail}`,
  };
}

function ofAlarm(node: string, report: AlarmReport, before: AlarmReport | undefined): Happening | null {
  if (report.active === (before !== undefined) && report.message === (before?.message ?? report.message))
    return null;
  return {
    type: report.active ? 'alarm.raised' : 'alarm.cleared',
    severity: report.active ? 'error' : 'info',
    node,
    subject: report.subject,
    message: report.message,
    data: { code: report.code },
  };
}
