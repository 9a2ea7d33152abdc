/** What a run is refused for before anything is queued. */
import { type ActionValues as Values, valuesOf } from '../../common/actions/values.ts';
import type { Run } from '../../common/queue/run.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError, type Problem } from '../../protocol/errors.ts';
import { nearest } from '../../protocol/nearest.ts';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import type { Queue } from './queue.ts';

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
  const meant = nearest(unit, known);
  const fix = `${meant === undefined ? '' : `did you mean ${meant}? `}use one of ${known.join(', ')}`;
  return [{ code: 'bad-request', path: 'parameters/unit', message: `${unit} is declared by no policy`, fix }];
}

/** @returns the error, with the action that was probably meant */
export function unknownAction(name: string, { Action }: Pick<View, 'Action'>): EvenkeelError {
  const meant = nearest(name, [...Action.keys()]);
  const hint = meant === undefined ? 'evenkeel actions lists them' : `did you mean ${meant}?`;
  return new EvenkeelError('not-found', `there is no action ${name}: ${hint}`);
}

/** The roles that an action is for; one about a unit is for those that have it. Empty: every node. */
export function rolesFor(
  { do: deed, roles }: ActionSpec,
  { unit }: Values,
  { Policy }: Pick<View, 'Policy'>,
): readonly string[] {
  const policy = isAboutUnit(deed) && typeof unit === 'string' ? Policy.get(unit) : undefined;
  if (policy === undefined) return roles;
  const { role } = policy.spec;
  return roles.length === 0 || roles.includes(role) ? [role] : roles;
}

const isAboutUnit = (deed: ActionSpec['do']): boolean => deed === 'unit-restart' || deed === 'unit-reload';

/** A node that was drained would be out of its pools for nothing while it waits. */
export function refuseIdle({ jitter, rolling }: Run['options']): void {
  if (jitter === 0 || rolling?.drain === undefined) return;
  const message = 'jitter would keep each node drained while it waits';
  const fix = 'leave out jitter or drain: drained nodes are taken one after the other anyway';
  throw new EvenkeelError('bad-request', `jitter: ${message}; ${fix}`, {
    problems: [{ code: 'bad-request', path: 'jitter', message, fix }],
  });
}

/** All or nothing: a run that some nodes cannot take is not begun on the others. */
export function refuseFull(nodes: readonly string[], queue: Pick<Queue, 'line'>): void {
  const full = nodes.filter((node) => queue.line(node).length >= MOST);
  if (full.length > 0)
    throw new EvenkeelError('queue-full', `${MOST} commands wait for ${full.join(', ')} already`);
}
