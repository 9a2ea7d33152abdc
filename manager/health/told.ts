/** Told: what people were told last of each thing of a node, so that a report that says it again is no event. */
import type { Report } from '../../protocol/messages.ts';
import type { EventLine } from '../../protocol/views.ts';
import { type Alarm, alarmKey, checkKey, outcomeOf, unitKey } from './happenings.ts';

/** By unit, check or alarm: how it stands. An alarm that does not stand is not in it. */
export type Told = Map<string, string>;

/** The families of events that say how something stands. */
export const STANDING = ['unit', 'check', 'alarm'] as const;

/** The newest entries; the one set longest ago gives way. */
const MOST = 1024;

/** What a report says stands from now on. */
export function tell(told: Told, report: Report): void {
  if (report.type === 'unit') set(told, unitKey(report.unit), outcomeOf(report));
  if (report.type === 'check' && report.state !== 'unknown') set(told, checkKey(report), report.state);
  if (report.type === 'alarm') set(told, alarmKey(report), report.active ? report.message : undefined);
}

/** Drops the alarms that a node did not say again after it had every chance to, and returns them: they are over. */
export function dropAlarms(told: Told, standing: ReadonlyMap<string, unknown>): Alarm[] {
  const over = [...told].filter(([key]) => key.startsWith('alarm/') && !standing.has(key));
  return over.map(([key, message]) => {
    told.delete(key);
    const [, code = '', ...subject] = key.split('/');
    return { code, subject: subject.join('/'), message };
  });
}

/** What an earlier run of the manager has told: the last event about each thing, as the store kept it. */
export function recall(told: Told, { type, subject, message, data }: EventLine): void {
  const [family, state = ''] = type.split('.');
  const { outcome, code } = (data ?? {}) as { outcome?: string; code?: string };
  if (family === 'unit') set(told, unitKey(subject), outcome);
  if (family === 'check') set(told, `check/${subject}`, state);
  if (family === 'alarm') set(told, `alarm/${code}/${subject}`, state === 'raised' ? message : undefined);
}

function set(told: Told, key: string, value: string | undefined): void {
  told.delete(key);
  if (value === undefined) return;
  told.set(key, value);
  const [oldest] = told.keys();
  if (told.size > MOST && oldest !== undefined) told.delete(oldest);
}
