/** What takes a run back: on the nodes where it changed something, the action that its own names as `undo`, with its values put in. */
import type { ActionValue, ActionValues } from '../../common/actions/values.ts';
import { aloneIn, argumentsOf, namedIn, secretsOf } from '../../common/actions/words.ts';
import type { Command } from '../../common/queue/command.ts';
import type { Run } from '../../common/queue/run.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { openStates, type Rolling } from '../../protocol/queue.ts';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import type { QueueRows } from '../store/queue.ts';

export interface TakesBack {
  action: string;
  parameters: ActionValues;
  on: string;
  /** As it was done: as slowly, a few at a time. */
  jitter: number;
  rolling?: Rolling;
  undoes: string;
}

interface World {
  rows: Pick<QueueRows, 'ofRun' | 'tries' | 'undoing' | 'counts'>;
  view: Pick<View, 'Node' | 'Action'>;
}

const refuse = (message: string): never => {
  throw new EvenkeelError('not-possible', message);
};

/**
 * @param again also when it was taken back already
 * @throws EvenkeelError not-possible, and why
 */
export async function takesBack(run: Run, again: boolean, { rows, view }: World): Promise<TakesBack> {
  // As it is declared by now: who finds out afterwards how to undo it can still say so.
  const spec = view.Action.get(run.action)?.spec ?? run.spec;
  if (spec.undo === undefined) return refuse(`nothing is declared that undoes ${run.action}`);
  const { action, parameters } = spec.undo;
  if (!again) await refuseTwice(run.id, rows);
  const changed = await changedBy(run, { rows, view });
  const [first] = changed;
  if (first === undefined) return refuse(`${run.id} has changed nothing on any node that is here still`);
  const values = JSON.stringify(first.values);
  const other = changed.find((one) => JSON.stringify(one.values) !== values);
  if (other !== undefined)
    return refuse(`${run.id} was done with other values on ${other.node}: run ${action} by hand`);
  const hidden = [...secretsOf(spec), ...secretsOf(run.spec), ...first.hidden];
  refuseShown(hidden, view.Action.get(action)?.spec, parameters);
  const filled = Object.entries(parameters).map(([name, word]) => [name, valueIn(word, first)] as const);
  const { jitter, rolling } = run.options;
  const on = changed.map(({ node }) => node).join(',');
  return {
    action,
    parameters: Object.fromEntries(filled),
    on,
    jitter,
    ...(rolling && { rolling }),
    undoes: run.id,
  };
}

/**
 * What undoes need not be harmless a second time. A run that was cancelled before it changed anything took nothing back.
 * @throws EvenkeelError not-possible
 */
async function refuseTwice(id: string, rows: World['rows']): Promise<void> {
  const counts = await rows.counts(await rows.undoing(id));
  for (const [by, count] of counts) {
    const isOpen = openStates.some((state) => count[state]);
    if (isOpen || count.succeeded)
      refuse(
        `${by} ${isOpen ? 'takes' : 'has taken'} ${id} back already: evenkeel runs ${id} --undo --again`,
      );
  }
}

/** Where it was done already, there was nothing that this run has changed. */
async function changedBy({ id }: Run, { rows, view }: World): Promise<Command[]> {
  const done = (await rows.ofRun(id)).filter(
    ({ node, state }) => state === 'succeeded' && view.Node.has(node),
  );
  const changed: Command[] = [];
  for (const command of done) {
    const tries = await rows.tries(id, command.node);
    // One that was begun and failed may have changed something, also when the next found nothing to do.
    if (tries.some(({ begun, already }) => begun && !already)) changed.push(command);
  }
  return changed;
}

/** A list, alone in its place, stays one. */
function valueIn(word: string, { values, hidden, run, action }: Command): ActionValue {
  const unknown = namedIn(word).find((name) => !Object.hasOwn(values, name));
  if (unknown !== undefined && hidden.includes(unknown))
    return refuse(`${unknown} of ${run} is secret, and not kept when it is over: take it back by hand`);
  if (unknown !== undefined) return refuse(`${run} has no value ${unknown}: ${action} was changed since`);
  const alone = aloneIn(word);
  const list = alone === undefined ? undefined : values[alone];
  return Array.isArray(list) ? list : argumentsOf([word], values).join('');
}

/** What nobody is shown is not put where everybody sees it. */
function refuseShown(
  hidden: readonly string[],
  undo: ActionSpec | undefined,
  parameters: Record<string, string>,
): void {
  const kept = undo ? secretsOf(undo) : [];
  for (const [name, word] of Object.entries(parameters)) {
    const secret = namedIn(word).find((one) => hidden.includes(one));
    if (secret !== undefined && !kept.includes(name))
      refuse(`${secret} is secret, and ${name} of the action that undoes it is not`);
  }
}
