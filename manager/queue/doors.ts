/** What a run is refused for before anything is queued. */
import { type ActionValues as Values, valuesOf } from '../../common/actions/values.ts';
import { holdsOn } from '../../common/policies.ts';
import type { Run } from '../../common/queue/run.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { meantHint, nearest } from '../../protocol/nearest.ts';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import type { Queue } from './queue.ts';
import { type Meant, selected } from './selector.ts';

/** So many commands may wait in one queue. */
const MOST = 1_000;

/** @throws EvenkeelError bad-request with every problem */
export function checkedValues(
  { do: deed, parameters }: ActionSpec,
  given: Record<string, unknown>,
  { Policy }: Pick<View, 'Policy'>,
): Values {
  const valued = valuesOf(parameters, given, 'parameters');
  const problems = valued.ok ? unitProblems(deed, valued.values, Policy) : valued.problems;
  if (valued.ok && problems.length === 0) return valued.values;
  const [first] = problems;
  throw new EvenkeelError('bad-request', `${first?.path} ${first?.message}`, { problems });
}

/** A unit that no policy declares is on no node. */
function unitProblems(deed: ActionSpec['do'], { unit }: Values, policies: View['Policy']): Problem[] {
  if (!isAboutUnit(deed) || typeof unit !== 'string' || policies.has(unit)) return [];
  const known = [...policies.keys()].sort();
  const fix = `${meantHint(unit, known)}use one of ${known.join(', ')}`;
  return [{ code: 'bad-request', path: 'parameters/unit', message: `${unit} is declared by no policy`, fix }];
}

/** @returns the error, with the action that was probably meant */
export function unknownAction(name: string, { Action }: Pick<View, 'Action'>): EvenkeelError {
  const meant = nearest(name, [...Action.keys()]);
  const hint = meant === undefined ? 'evenkeel actions lists them' : `did you mean ${meant}?`;
  return new EvenkeelError('not-found', `there is no action ${name}: ${hint}`);
}

/** Whom an action is for: nodes of its roles; one about a unit, those that have it. */
function meantOf(
  { do: deed, roles }: ActionSpec,
  { unit }: Values,
  view: Pick<View, 'Policy' | 'Cluster'>,
): Meant {
  const policy = isAboutUnit(deed) && typeof unit === 'string' ? view.Policy.get(unit) : undefined;
  const cluster = view.Cluster.get('cluster');
  return {
    isFor: ({ spec }) =>
      (roles.length === 0 || spec.roles.some((role) => roles.includes(role))) &&
      (policy === undefined || holdsOn(spec, cluster, policy)),
    lacks: policy === undefined ? `has none of the roles ${roles.join(', ')}` : `has no unit ${policy.name}`,
  };
}

const isAboutUnit = (deed: ActionSpec['do']): boolean => deed === 'unit-restart' || deed === 'unit-reload';

/** A node that was drained would be out of its pools for nothing while it waits. */
function refuseIdle({ jitter, rolling }: Run['options']): void {
  if (jitter === 0 || rolling?.drain === undefined) return;
  const message = 'jitter would keep each node drained while it waits';
  const fix = 'leave out jitter or drain: drained nodes are taken one after the other anyway';
  throw new EvenkeelError('bad-request', `jitter: ${message}; ${fix}`, {
    problems: [{ code: 'bad-request', path: 'jitter', message, fix }],
  });
}

/** All or nothing: a run that some nodes cannot take is not begun on the others. */
function refuseFull(nodes: readonly string[], queue: Pick<Queue, 'line'>): void {
  const full = nodes.filter((node) => queue.line(node).length >= MOST);
  if (full.length > 0)
    throw new EvenkeelError('queue-full', `${MOST} commands wait for ${full.join(', ')} already`);
}

/** @returns what a run would do where. @throws EvenkeelError bad-request with every problem, queue-full */
export function admitted(
  spec: ActionSpec,
  { parameters, on, options }: { parameters: Record<string, unknown>; on: string; options: Run['options'] },
  { view, queue }: { view: View; queue: Pick<Queue, 'line'> },
): { values: Values; nodes: string[] } {
  const values = checkedValues(spec, parameters, view);
  refuseIdle(options);
  const nodes = selected(on, meantOf(spec, values, view), view);
  refuseFull(nodes, queue);
  return { values, nodes };
}
