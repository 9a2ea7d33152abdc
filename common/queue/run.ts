/** A run: one action, asked for once, as a command on each node of a selector. What the queue and the store share of it. */
import type { ActionValues, RunOptions, TryResult } from '../../protocol/queue.ts';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import type { Command } from './command.ts';

export interface Run {
  id: string;
  action: string;
  digest: string;
  /** The action as it was then: later it may be another one, or gone. */
  spec: ActionSpec;
  values: ActionValues;
  actor: string;
  at: string;
  /** As it was said: `all`, a role, or names. */
  selector: string;
  /** And the run that it takes back, which nobody says but the manager. */
  options: RunOptions & { undoes?: string };
}

/** A command as it is to stand, with the result that made it so. */
export interface CommandChange {
  command: Command;
  result?: TryResult;
}

/** A queue that hands out nothing, by somebody's word. */
export interface PausedQueue {
  node: string;
  reason: string;
  owner: string;
  since: string;
}
