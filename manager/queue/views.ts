/** Commands, queues and runs as people see them: no secret among the values. Pure. */
import { secretsOf, shownValues } from '../../common/actions/words.ts';
import type { Command } from '../../common/queue/command.ts';
import { hasFailed } from '../../common/queue/rolling.ts';
import type { PausedQueue, Run } from '../../common/queue/run.ts';
import type { CommandView, QueueView, RunView } from '../../protocol/queue-api.ts';
import type { NodeView } from '../../protocol/views.ts';

const momentOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

export function commandView(command: Command): CommandView {
  const { run, node, action, by, at, state, already, number, delay, stopping, error, ended } = command;
  return {
    ...{ run, node, action, by, at, state, already, number, delay, stopping, error, ended },
    since: new Date(command.since).toISOString(),
    values: shownValues(command.values, command.hidden),
    turn: turnView(command),
    again: momentOf(command.again),
    expires: momentOf(command.expires),
  };
}

function turnView({ turn, ...command }: Command): CommandView['turn'] {
  if (turn === null) return null;
  const { phase, since, drained, why } = turn;
  const failed = hasFailed({ ...command, turn });
  return { phase, since: new Date(since).toISOString(), drained, failed, why };
}

export function queueView(
  node: string,
  line: readonly Command[],
  { online, paused }: { online: boolean; paused: PausedQueue | undefined },
): QueueView {
  const [head] = line;
  return {
    ...{ node, online, waiting: line.length },
    state: stateOf(head, paused !== undefined),
    head: head ? commandView(head) : null,
    paused: paused ? { reason: paused.reason, owner: paused.owner, since: paused.since } : null,
  };
}

function stateOf(head: Command | undefined, isPaused: boolean): QueueView['state'] {
  if (head?.state === 'failed' || head?.state === 'unknown') return 'halted';
  if (head?.state === 'running') return 'working';
  if (isPaused) return 'paused';
  return head === undefined ? 'empty' : 'waiting';
}

/** What a node view says of its queue. */
export function queueBrief(line: readonly Command[], isPaused: boolean): NodeView['queue'] {
  return { state: stateOf(line[0], isPaused), waiting: line.length, action: line[0]?.action ?? '' };
}

export function runView(run: Run, counts: Record<string, number>): RunView {
  const { id, action, actor, at, selector, options, values, spec } = run;
  return {
    ...{ run: id, action, by: actor, at, on: selector, options, counts },
    values: shownValues(values, secretsOf(spec)),
  };
}

export function countsOf(commands: readonly Pick<Command, 'state'>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of commands) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
