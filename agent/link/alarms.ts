/** Alarms: what an operator must know is said once when it begins, and taken back when it is over. */
import type { ErrorCode } from '../../protocol/errors.ts';
import type { ReportBody } from './outbox.ts';

export interface Alarms {
  raise(code: ErrorCode, subject: string, message: string): void;
  /** Takes back what was raised about this; nothing when nothing was. */
  clear(code: ErrorCode, subject: string): void;
  /** Says all that stands again: after a new connection. */
  repeat(): void;
}

export function createAlarms(report: (body: ReportBody) => void): Alarms {
  const raised = new Map<string, { code: ErrorCode; subject: string; message: string }>();
  const say = (alarm: { code: ErrorCode; subject: string; message: string }, active: boolean) =>
    report({ type: 'alarm', ...alarm, active });
  return {
    raise: (code, subject, message) => {
      const key = `${code} ${subject}`;
      const known = raised.get(key)?.message === message;
      const alarm = { code, subject, message };
      raised.set(key, alarm);
      if (!known) say(alarm, true);
    },
    clear: (code, subject) => {
      const alarm = raised.get(`${code} ${subject}`);
      if (!alarm) return;
      raised.delete(`${code} ${subject}`);
      say(alarm, false);
    },
    repeat: () => {
      for (const alarm of raised.values()) say(alarm, true);
    },
  };
}
