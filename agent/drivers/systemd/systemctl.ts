/** What is asked of systemd, by its own programs: each question with a time in which it is answered. */
import type { Clock } from '../../../common/clock.ts';
import { EvenkeelError, messageOf } from '../../../protocol/errors.ts';
import { createExecutables } from '../executables.ts';
import { createRun, type Ended } from '../run.ts';

/** Not on the list of what policies may run. */
export const SYSTEMCTL = '/usr/bin/systemctl';
const PROGRAMS = { systemctl: SYSTEMCTL, journalctl: '/usr/bin/journalctl' };

export interface UnitState {
  active: string;
  /** In more detail: `start` while its start runs, `auto-restart` while systemd waits to start it again. */
  sub: string;
  /** Whether systemd works at something that it was told to do with it. */
  hasJob: boolean;
  main: number | null;
  /** Of the command that is starting, reloading or stopping it. */
  control: number | null;
  /** Why it is not active: `success`, `exit-code`, `timeout`. */
  result: string;
  /** How its main process ended. */
  status: string;
  /** Of one start among all. */
  invocation: string;
  /** Its file says something else than systemd has read. */
  isStale: boolean;
}

/** A systemd that is slow or deaf is no fault of what it was to start. Each of them @throws EvenkeelError systemd-failed */
export interface Systemctl {
  show(unit: string): Promise<UnitState>;
  /** Has systemd read all units again. */
  readUnits(): Promise<void>;
  tell(verb: 'start' | 'stop' | 'reload' | 'reset-failed', unit: string, timeout: number): Promise<Ended>;
  /** The last lines that a unit said since a start, and where it said nothing what systemd says of it. Never throws. */
  said(unit: string, invocation: string): Promise<string>;
}

/** A box that is busy takes seconds for what takes milliseconds. */
const PATIENCE_MS = 30_000;
const LINES = '20';

export function createSystemctl(clock: Clock, programs = PROGRAMS): Systemctl {
  const run = createRun({ executables: createExecutables(programs), clock });
  const systemctl = (args: string[], timeout = PATIENCE_MS) =>
    run(['systemctl', '--no-ask-password', '--no-pager', ...args], { timeout }).catch((cause: unknown) => {
      throw new EvenkeelError('systemd-failed', messageOf(cause), { cause });
    });
  const answered = async (args: string[], timeout?: number): Promise<string> => {
    const { status, output } = await systemctl(args, timeout);
    if (status === 0) return output;
    throw new EvenkeelError('systemd-failed', `systemctl ${args[0]} ended with ${status}: ${output.trim()}`);
  };
  /** What is not said in time is left out: it only tells more of a failure that is known. */
  const journalctl = async (...args: string[]): Promise<string> => {
    try {
      return (await run(['journalctl', ...args], { timeout: PATIENCE_MS })).output.trim();
    } catch {
      return '';
    }
  };
  const lines = (...matches: string[]) =>
    journalctl('--quiet', '--no-pager', '--output=cat', `--lines=${LINES}`, ...matches);
  return {
    show: async (unit) => stateIn(await answered(['show', `--property=${PROPERTIES.join(',')}`, unit])),
    readUnits: async () => void (await answered(['daemon-reload'], 2 * PATIENCE_MS)),
    tell: (verb, unit, timeout) => systemctl([verb, unit], timeout),
    said: async (unit, invocation) => {
      if (invocation === '') return '';
      await journalctl('--sync');
      const words = await lines(`_SYSTEMD_INVOCATION_ID=${invocation}`);
      return words || lines(`UNIT=${unit}`, `INVOCATION_ID=${invocation}`);
    },
  };
}

const PROPERTIES = [
  'ActiveState',
  'SubState',
  'Job',
  'MainPID',
  'ControlPID',
  'Result',
  'ExecMainStatus',
  'InvocationID',
  'NeedDaemonReload',
] as const;

/** @param text lines as `MainPID=12`; of a unit that systemd has never heard of as well */
export function stateIn(text: string): UnitState {
  const of = (name: (typeof PROPERTIES)[number]) => new RegExp(`^${name}=(.*)$`, 'm').exec(text)?.[1] ?? '';
  return {
    active: of('ActiveState'),
    sub: of('SubState'),
    hasJob: Number(of('Job')) > 0,
    main: Number(of('MainPID')) || null,
    control: Number(of('ControlPID')) || null,
    result: of('Result'),
    status: of('ExecMainStatus'),
    invocation: of('InvocationID'),
    isStale: of('NeedDaemonReload') === 'yes',
  };
}
