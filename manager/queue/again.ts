/** What repeats a run: the same once more, on the nodes where it ended without being done. */
import type { ActionValues } from '../../common/actions/values.ts';
import { secretsOf } from '../../common/actions/words.ts';
import type { Run } from '../../common/queue/run.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { isOpen } from '../../protocol/queue.ts';
import type { QueueRows } from '../store/queue.ts';

interface Repeats extends Omit<Run['options'], 'expires'> {
  action: string;
  parameters: ActionValues;
  on: string;
}

interface World {
  rows: Pick<QueueRows, 'ofRun' | 'undoing'>;
  view: Pick<View, 'Node' | 'Action'>;
}

/** Over, and not done. */
const UNDONE = new Set(['skipped', 'cancelled', 'expired']);

/** @throws EvenkeelError not-possible, and why */
export async function repeats(run: Run, { rows, view }: World): Promise<Repeats> {
  const { id, action, values, options } = run;
  const undone = (await rows.ofRun(id)).filter(({ state }) => UNDONE.has(state));
  const taken = await takenBack(run, rows);
  const on = undone.map(({ node }) => node).filter((node) => view.Node.has(node) && !taken.has(node));
  if (on.length === 0)
    throw new EvenkeelError(
      'not-possible',
      `on every node ${id} was done, or waits still, or another run does it: evenkeel runs ${id}`,
    );
  refuseSecret(run, view);
  const { expires: _, ...kept } = options;
  return { action, parameters: values, on: on.join(','), ...kept };
}

/** Where another run takes back, or has taken back, what this one was to: it is not done twice by being repeated. */
async function takenBack(
  { id, options: { undoes } }: Run,
  rows: World['rows'],
): Promise<ReadonlySet<string>> {
  if (undoes === undefined) return new Set();
  const others = (await rows.undoing(undoes)).filter((one) => one !== id);
  const all = (await Promise.all(others.map((one) => rows.ofRun(one)))).flat();
  const done = all.filter(({ state }) => isOpen(state) || state === 'succeeded');
  return new Set(done.map(({ node }) => node));
}

/** Values of secret parameters go with the end of a run; and what was secret is not put where everybody sees it. */
function refuseSecret({ id, action, spec, values }: Run, { Action }: Pick<View, 'Action'>): void {
  const declared = Action.get(action)?.spec;
  const kept = declared ? secretsOf(declared) : [];
  const secret = secretsOf(spec).find((name) => !Object.hasOwn(values, name) || !kept.includes(name));
  if (secret !== undefined)
    throw new EvenkeelError(
      'not-possible',
      `${secret} of ${id} is secret and given anew each time: evenkeel run ${action} ${secret}=...`,
    );
}
