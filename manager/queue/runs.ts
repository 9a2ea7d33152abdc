/** Runs: what people ask to be done, made into commands, and what became of them. */
import { secretsOf } from '../../common/actions/words.ts';
import { type Clock, moment } from '../../common/clock.ts';
import { newId } from '../../common/ids.ts';
import { type Command, isOpened } from '../../common/queue/command.ts';
import type { Run } from '../../common/queue/run.ts';
import { firstTurn } from '../../common/queue/turn.ts';
import type { View } from '../../common/view.ts';
import type { AnswerOf, BodyOf, QueryOf } from '../../protocol/endpoints.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { isOpen, type RunId } from '../../protocol/queue.ts';
import type { QueueView, RunView } from '../../protocol/queue-api.ts';
import type { ActionSpec } from '../../protocol/resources/action.ts';
import { type AccessRole, roles as accessRoles } from '../../protocol/views.ts';
import type { QueueRows } from '../store/queue.ts';
import type { Dealt } from '../store/schedules.ts';
import type { Happening } from '../store/store.ts';
import { repeats } from './again.ts';
import { admitted, checkedValues, unknownAction } from './doors.ts';
import { createInOrder } from './in-order.ts';
import type { Live } from './live.ts';
import type { Queue, Word } from './queue.ts';
import type { RollingRuns } from './rolling.ts';
import { takesBack } from './undo.ts';
import { commandView, countsOf, queueView, runView } from './views.ts';
import { createWatching, type Follow } from './watching.ts';

export interface RunsOptions {
  queue: Queue;
  rolling: Pick<RollingRuns, 'begun' | 'letGo'>;
  live: Pick<Live, 'follow' | 'tail'>;
  rows: QueueRows;
  view: () => View;
  online: (node: string) => boolean;
  /** Whether the manager is held: then nothing is written. */
  held: () => boolean;
  /** Looks at a node now. */
  doctor: (node: string) => Promise<{ checks: AnswerOf<'queueDiagnose'>['checks'] }>;
  emit: (happening: Happening) => void;
  clock: Clock;
}

interface Caller {
  name: string;
  role: AccessRole;
}

/** Of a run that a schedule begins: as whose it is kept, and with it that the moment has been dealt with. */
export interface Scheduled {
  actor: string;
  dealt?: Dealt;
}

export interface Runs {
  /** @throws EvenkeelError not-found, forbidden, bad-request with every problem, queue-full; nothing is queued then */
  start(body: BodyOf<'runStart'>, caller: Caller, scheduled?: Scheduled): Promise<RunView>;
  /** On the nodes where an earlier run ended without being done. @throws EvenkeelError not-found, not-possible where there are none, as `start` */
  again(id: RunId, caller: Caller): Promise<RunView>;
  /** On the nodes where an earlier run changed something, what its action names as `undo`. @throws EvenkeelError not-found, not-possible, as `start` */
  undo(id: RunId, again: boolean, caller: Caller): Promise<RunView>;
  /** On every node where it is not over; a rolling one that only waits for nodes to be well lets go of them. @throws EvenkeelError not-found, not-possible where it is over */
  cancelRun(id: RunId, reason: string, caller: Caller): Promise<RunView>;
  list(page: QueryOf<'runs'>): Promise<AnswerOf<'runs'>>;
  /** @throws EvenkeelError not-found */
  one(id: RunId): Promise<AnswerOf<'run'>>;
  /** What its commands have said, how they stand, then each as it changes, and what it says before that. @throws EvenkeelError not-found, busy */
  follow(id: RunId): Promise<Follow>;
  tries(id: RunId, node: string): Promise<AnswerOf<'tries'>>;
  queues(): QueueView[];
  queueOf(node: string): QueueView;
  history(node: string, page: QueryOf<'queue'>): Promise<AnswerOf<'queue'>>;
  /** @throws EvenkeelError not-possible: nothing is there, or another run is first by now; as `start` */
  retry(node: string, word: BodyOf<'queueRetry'>, caller: Caller): Promise<QueueView>;
  skip(node: string, word: { run?: string | undefined; reason: string }, caller: Caller): Promise<QueueView>;
  cancel(
    node: string,
    word: { run?: string | undefined; reason: string },
    caller: Caller,
  ): Promise<QueueView>;
  pause(node: string, reason: string, caller: Caller): Promise<QueueView>;
  resume(node: string, caller: Caller): Promise<QueueView>;
  diagnose(node: string): Promise<AnswerOf<'queueDiagnose'>>;
}

export function createRuns(given: RunsOptions): Runs {
  const { queue, rolling, live, rows, view, online, held, doctor, emit, clock } = given;
  /** Whether it was taken back already is asked once the one before has said so. */
  const undoes = createInOrder();
  const watching = createWatching({ live, queue, rows });
  const known = (node: string) => {
    if (!view().Node.has(node)) throw new EvenkeelError('not-found', `there is no node ${node}`);
    return node;
  };
  const queueOf = (node: string) =>
    queueView(node, queue.line(known(node)), { online: online(node), paused: queue.paused(node) });
  const runOf = async (id: string) => {
    const run = await rows.run(id);
    if (run) return run;
    throw new EvenkeelError('not-found', `there is no run ${id}; those that ended long ago are forgotten`);
  };
  /** @throws EvenkeelError forbidden where the action asks for more than the caller is */
  const allow = ({ access }: Pick<ActionSpec, 'access'>, action: string, { name, role }: Caller) => {
    if (accessRoles.indexOf(role) >= accessRoles.indexOf(access)) return;
    throw new EvenkeelError(
      'forbidden',
      `${action} is for ${access}s; the token ${name} has the role ${role}`,
    );
  };
  const headOf = (node: string) => {
    const [head] = queue.line(known(node));
    if (head) return head;
    throw new EvenkeelError('not-possible', `the queue of ${node} is empty`);
  };
  /** Whatever is said to a manager that is held is lost with what it holds. @throws EvenkeelError manager-held */
  const writable = () => {
    if (held())
      throw new EvenkeelError('manager-held', 'nothing is begun or changed until an operator resumes');
  };
  /** One that has ended by itself in this moment is over as well. */
  const cancelled = (node: string, word: Word) =>
    queue.cancel(node, word).catch((err: unknown) => {
      if (!(err instanceof EvenkeelError) || err.code !== 'not-possible') throw err;
    });
  const start = async (
    { action, parameters, on, ...options }: BodyOf<'runStart'> & Pick<Run['options'], 'undoes'>,
    caller: Caller,
    scheduled?: Scheduled,
  ) => {
    writable();
    const declared = view().Action.get(action);
    if (!declared) throw unknownAction(action, view());
    const { spec, digest } = declared;
    allow(spec, action, caller);
    const { values, nodes } = admitted(spec, { parameters, on, options }, { view: view(), queue });
    const at = moment(clock);
    const run: Run = {
      ...{ id: newId(), action, digest, spec, values, at, selector: on, options },
      actor: scheduled?.actor ?? caller.name,
    };
    const commands = await rows.add(
      run,
      nodes.map((node) => commandOf(run, node)),
      scheduled?.dealt,
    );
    queue.added(commands);
    if (options.rolling) rolling.begun(run, commands);
    return runView(run, countsOf(commands));
  };
  return {
    start,
    again: async (id, caller) => {
      const run = await runOf(id);
      const world = { rows, view: view() };
      return undoes.of(run.options.undoes ?? id, async () => start(await repeats(run, world), caller));
    },
    undo: (id, again, caller) =>
      undoes.of(id, async () =>
        start(await takesBack(await runOf(id), again, { rows, view: view() }), caller),
      ),
    cancelRun: async (id, reason, { name }) => {
      writable();
      const run = await runOf(id);
      const open = (await rows.ofRun(id)).filter(({ state }) => isOpen(state));
      if (open.length === 0 && !rolling.letGo(id))
        throw new EvenkeelError('not-possible', `${id} is over on every node`);
      // First those that have not begun: with one ended that has failed, their turn would come.
      const [begun, waiting] = [open.filter(isOpened), open.filter((command) => !isOpened(command))];
      for (const some of [waiting, begun])
        await Promise.all(some.map(({ node }) => cancelled(node, { by: name, reason, run: id })));
      return runView(run, countsOf(await rows.ofRun(id)));
    },
    list: async ({ limit, ...filter }) => {
      const found = await rows.runs({ limit, ...filter });
      const counts = await rows.counts(found.map(({ id }) => id));
      const items = found.map((run) => runView(run, counts.get(run.id) ?? {}));
      return { items, next: found.length < limit ? null : (found.at(-1)?.seq ?? null) };
    },
    one: async (id) => {
      const [run, commands] = [await runOf(id), await rows.ofRun(id)];
      const undoneBy = await rows.undoing(id);
      return { run: runView(run, countsOf(commands)), commands: commands.map(commandView), undoneBy };
    },
    follow: async (id) => {
      await runOf(id);
      return watching(id);
    },
    tries: async (id, node) => {
      const command = (await rows.ofRun(id)).find((one) => one.node === node);
      if (!command)
        throw new EvenkeelError('not-found', `there is no command of ${id} on ${node}: evenkeel runs ${id}`);
      return { command: commandView(command), tries: await rows.tries(id, node) };
    },
    queues: () => [...view().Node.keys()].sort().map(queueOf),
    queueOf,
    history: async (node, { limit, ...filter }) => {
      const commands = await rows.ofNode(known(node), { limit, ...filter });
      const next = commands.length < limit ? null : (commands.at(-1)?.seq ?? null);
      return { queue: queueOf(node), commands: commands.map(commandView), next };
    },
    retry: async (node, { run, parameters: given }, caller) => {
      writable();
      const head = headOf(node);
      if (run !== undefined && head.run !== run)
        throw new EvenkeelError(
          'not-possible',
          `${run} is not first in the queue of ${node}: ${head.run} is`,
        );
      // As it is declared by now: what was wrong may have been the action.
      const declared = view().Action.get(head.action);
      const spec = declared?.spec ?? (await runOf(head.run)).spec;
      allow(spec, head.action, caller);
      const values = checkedValues(spec, { ...head.values, ...given }, view());
      const digest = declared?.digest ?? head.digest;
      // What was secret when it was given stays so, whatever the action says by now.
      const hidden = [...new Set([...head.hidden, ...secretsOf(spec)])];
      await queue.retry(node, { values, digest, idempotent: spec.idempotent, hidden }, head.run);
      return queueOf(node);
    },
    skip: async (node, word, { name }) => {
      writable();
      await queue.skip(known(node), { ...word, by: name });
      return queueOf(node);
    },
    cancel: async (node, word, { name }) => {
      writable();
      await queue.cancel(known(node), { ...word, by: name });
      return queueOf(node);
    },
    pause: async (node, reason, { name }) => {
      writable();
      await queue.pause({ node: known(node), reason, owner: name, since: moment(clock) });
      const message = `paused by ${name}: ${reason}`;
      emit({ type: 'queue.paused', severity: 'info', node, subject: 'queue', message });
      return queueOf(node);
    },
    resume: async (node, { name }) => {
      writable();
      const wasPaused = queue.paused(known(node)) !== undefined;
      await queue.resume(node);
      if (wasPaused)
        emit({
          type: 'queue.resumed',
          severity: 'info',
          node,
          subject: 'queue',
          message: `resumed by ${name}`,
        });
      return queueOf(node);
    },
    diagnose: async (node) => {
      const { action, run } = headOf(node);
      const { spec } = await runOf(run);
      const { checks } = await doctor(node);
      const fitting: readonly string[] = spec.diagnose;
      return {
        node,
        action,
        all: fitting.length === 0,
        checks: fitting.length === 0 ? checks : checks.filter(({ name }) => fitting.includes(name)),
      };
    },
  };
}

/** Of the time until its deadline: what begins last does not begin on it. */
const SPREAD = 0.9;
const timeOf = (at: string, expires: string | undefined): number =>
  expires === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Date.parse(expires) - Date.parse(at));

function commandOf(
  { id, action, digest, spec, values, actor, at, options }: Run,
  node: string,
): Omit<Command, 'seq'> {
  const { jitter, expires } = options;
  return {
    ...{ run: id, node, action, digest, values, by: actor, at, idempotent: spec.idempotent },
    hidden: secretsOf(spec),
    ...{
      state: 'waiting',
      since: Date.parse(at),
      begun: false,
      already: false,
      number: 0,
      again: null,
      stopping: false,
      ledger: null,
    },
    turn: options.rolling ? firstTurn(Date.parse(at)) : null,
    expires: expires === undefined ? null : Date.parse(expires),
    delay: Math.floor(Math.random() * Math.min(jitter, timeOf(at, expires) * SPREAD)),
    ...{ error: null, ended: null },
  };
}
