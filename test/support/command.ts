/** A command as a run makes it, for whoever tests what becomes of it. */
import type { Command } from '../../common/queue/command.ts';

export const waitingCommand = <T extends Partial<Command>>(more: T): Omit<Command, 'seq'> & T => ({
  ...{ run: 'abcdefghijkl', node: 'web1', action: 'act', digest: 'd', idempotent: true, values: {} },
  ...{ hidden: [], by: 'ann', at: '2026-01-01T00:00:00Z', state: 'waiting', since: 0, already: false },
  ...{ number: 0, again: null, expires: null, turn: null, delay: 0, stopping: false },
  ...{ ledger: null, error: null, ended: null },
  ...more,
});
