/** A command as a run makes it, for whoever tests what becomes of it. */
import type { Command } from '../../common/queue/command.ts';
import type { TryResult } from '../../protocol/queue.ts';

export const waitingCommand = <T extends Partial<Command>>(more: T): Omit<Command, 'seq'> & T => ({
  ...{ run: 'abcdefghijkl', node: 'web1', action: 'act', digest: 'd', idempotent: true, values: {} },
  ...{
    hidden: [],
    by: 'ann',
    at: '2026-01-01T00:00:00Z',
    state: 'waiting',
    since: 0,
    begun: false,
    already: false,
  },
  ...{ number: 0, again: null, expires: null, turn: null, delay: 0, stopping: false },
  ...{ ledger: null, error: null, ended: null },
  ...more,
});

/** A try as an agent tells it; one that has succeeded, where nothing else is said. */
export const tryResult = (more: Partial<TryResult> = {}): TryResult => ({
  ...{
    run: 'abcdefghijkl',
    number: 1,
    end: 'succeeded',
    already: false,
    begun: true,
    status: 0,
    error: null,
  },
  ...{ output: '', omitted: 0, from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:01Z' },
  ...more,
});
