/** The conductor of rolling runs: looks at nodes and pools, and takes each run as far as that allows. A restart goes on from what is kept. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { type Again, createLoop } from '../../common/loop.ts';
import type { Command } from '../../common/queue/command.ts';
import {
  hasFailed,
  isInHand,
  isStopped,
  isTurning,
  type Move,
  movesOf,
  type Plan,
  type Seen,
  sizeOf,
} from '../../common/queue/rolling.ts';
import type { Run } from '../../common/queue/run.ts';
import { milliseconds } from '../../common/units.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { isOpen } from '../../protocol/queue.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';
import type { QueueRows } from '../store/queue.ts';
import type { Happening, WriteRequest, WriteResult } from '../store/store.ts';
import type { Queue } from './queue.ts';

export interface RollingOptions {
  store: {
    queue: Pick<QueueRows, 'run' | 'ofRun' | 'rolling'>;
    view(): View;
    write(request: WriteRequest): Promise<WriteResult>;
  };
  queue: Pick<Queue, 'line' | 'paused' | 'turned' | 'onChanged'>;
  nodes: { one(name: string): NodeView | undefined };
  pools: { views(): PoolView[] };
  /** Whether the manager is held: then nothing moves. */
  held: () => boolean;
  emit: (happening: Happening) => void;
  clock: Clock;
  log: Log;
}

export interface RollingRuns {
  /** Waits no longer that nodes whose command is over are well again, and gives them back. @returns whether any was waited for */
  letGo(run: string): boolean;
  /** A run that the store has just taken. */
  begun(run: Run, commands: readonly Command[]): void;
  start(): Promise<() => Promise<void>>;
}

interface Rolled {
  run: Run;
  plan: Plan;
  commands: Map<string, Command>;
  /** That it has stopped was told. */
  stopped: boolean;
  /** Somebody has said so: it is done with every node whose command is over. */
  letGo: boolean;
  /** What goes wrong with it each time, and was told; empty while nothing does. */
  wrong: string;
}

/** Checks and pools change without a word to the queue. */
const LOOK_MS = 1_000;
const SOON_MS = 100;
/** Many commands that end at once are one look. */
const GATHER_MS = 20;
const KEY = 'runs';

export function createRollingRuns(options: RollingOptions): RollingRuns {
  const { store, queue, emit, held, clock, log } = options;
  const runs = new Map<string, Rolled>();
  const add = (run: Run, commands: readonly Command[]) => {
    const byNode = new Map(commands.map((command) => [command.node, command]));
    const plan = planOf(run, commands.length);
    // One that had stopped before this manager began was told then.
    const stopped = isStopped(plan, commands);
    runs.set(run.id, { run, plan, commands: byNode, stopped, letGo: false, wrong: '' });
  };
  const changed = (command: Command) => {
    const rolled = runs.get(command.run);
    if (rolled === undefined) return;
    rolled.commands.set(command.node, command);
    look();
  };
  let isRead = false;
  /** All of them before any goes on: what one has in hand the others leave alone. What changes meanwhile is heard. */
  const read = async () => {
    const meanwhile: Command[] = [];
    const undo = queue.onChanged((command) => (isRead ? changed(command) : meanwhile.push(command)));
    for (const id of await known(options)) {
      const run = await store.queue.run(id);
      if (run?.options.rolling) add(run, await store.queue.ofRun(id));
    }
    for (const command of meanwhile) changed(command);
    isRead = true;
    look();
    return undo;
  };
  const move = async (rolled: Rolled, { node, turn, drain }: Move) => {
    const { run, commands } = rolled;
    // Said before it is noted as said: whoever begins anew in between says it again, and the same.
    if (drain !== undefined) await say(drain, node, rolled, options);
    await queue.turned(run.id, node, turn, () => commands.get(node));
  };
  const goOn = async (rolled: Rolled, seen: Omit<Seen, 'away' | 'taken' | 'blocked'>) => {
    if (rolled.letGo) for (const one of lastMoves(rolled)) await move(rolled, one);
    const others = [...runs.values()].filter((one) => one !== rolled);
    const inHand = others.flatMap(({ commands }) => [...commands.values()].filter(isInHand));
    const namesOf = (some: readonly Command[]) => new Set(some.map(({ node }) => node));
    const taken = inHand.filter(({ turn }) => !turn?.overdue);
    const moves = movesOf(rolled.plan, [...rolled.commands.values()], {
      ...{ ...seen, away: namesOf(inHand), taken: namesOf(taken) },
      blocked: (command) => blockedIn(queue, command),
    });
    for (const one of moves) await move(rolled, one);
    if (rolled.wrong !== '') emit(resumedOf(rolled));
    rolled.wrong = '';
    tell(rolled, emit);
    if (![...rolled.commands.values()].some(isTurning)) runs.delete(rolled.run.id);
  };
  /** One run after the other: what one takes out of a pool, the next one knows of. */
  const work = async (): Promise<Again> => {
    let again: Again;
    if (!isRead) return undefined;
    for (const rolled of [...runs.values()]) {
      const pools = held() ? undefined : judged(options);
      if (pools === undefined) return undefined;
      const seen = { now: clock.now(), node: options.nodes.one, pools, aside: asideIn(options, runs) };
      await goOn(rolled, seen).catch((err: unknown) => {
        // Somebody has said something of the node in this moment: it is looked at again.
        const isStale = err instanceof EvenkeelError && err.code === 'stale-revision';
        if (!isStale) goesWrong(rolled, messageOf(err), options);
        again = { againAfter: isStale ? SOON_MS : LOOK_MS };
      });
    }
    return again;
  };
  const loop = createLoop({ clock, log, work, quiet: GATHER_MS, atMost: 5 * GATHER_MS });
  const look = () => loop.put(KEY);
  return {
    begun: (run, commands) => {
      add(run, commands);
      look();
    },
    letGo: (id) => {
      const rolled = runs.get(id);
      if (rolled === undefined || lastMoves(rolled).length === 0) return false;
      rolled.letGo = true;
      look();
      return true;
    },
    start: async () => {
      const undo = [
        await read(),
        clock.every(LOOK_MS, () => {
          if (runs.size > 0) look();
        }),
      ];
      return async () => {
        for (const end of undo) end();
        await loop.stop();
      };
    },
  };
}

/** A manager with a store that is damaged serves nothing, and says so elsewhere. */
async function known({ store, held }: RollingOptions): Promise<string[]> {
  return store.queue.rolling().catch((err: unknown) => {
    if (held()) return [];
    throw err;
  });
}

function planOf({ id, options: { rolling } }: Run, nodes: number): Plan {
  const { size = '1', drain, stopAfter = 1 } = rolling ?? {};
  return {
    size: sizeOf(size, nodes),
    drain: drain === undefined ? null : milliseconds(drain),
    ...{ stopAfter, word: `run ${id}: ` },
  };
}

/** The pools, once every one has been judged: of one that was not, nobody knows who serves in it. */
function judged({ store, pools }: RollingOptions): PoolView[] | undefined {
  const views = pools.views().filter(({ seq }) => seq > 0);
  return views.length < store.view().VirtualService.size ? undefined : views;
}

/** Nodes that somebody has set aside who is none of these runs. */
function asideIn({ store, clock }: RollingOptions, runs: ReadonlyMap<string, Rolled>): ReadonlySet<string> {
  const aside = new Set<string>();
  for (const { name, spec } of store.view().Node.values()) {
    const [, run = ''] = /^run ([a-z2-7]+): /.exec(spec.drain?.reason ?? '') ?? [];
    const until = spec.maintenance?.until;
    const isKept = spec.maintenance !== undefined && (until === undefined || Date.parse(until) > clock.now());
    if (isKept || (spec.drain !== undefined && !runs.has(run))) aside.add(name);
  }
  return aside;
}

/** Why a command could not be handed out now, were it open. */
function blockedIn(queue: RollingOptions['queue'], { node, seq }: Command): string | undefined {
  if (queue.paused(node) !== undefined) return 'its queue is paused';
  const [head] = queue.line(node);
  return head?.seq === seq ? undefined : `${head?.action ?? 'another command'} is before it in its queue`;
}

/** Takes a node out of its pools, or gives it back. @throws EvenkeelError stale-revision: somebody has written it meanwhile */
async function say(
  word: 'on' | 'off',
  name: string,
  { run: { id, action, actor }, plan }: Pick<Rolled, 'run' | 'plan'>,
  { store, clock }: RollingOptions,
): Promise<void> {
  const node = store.view().Node.get(name);
  if (node === undefined) return;
  const { drain, ...spec } = node.spec;
  const isOurs = drain?.reason.startsWith(plan.word) ?? false;
  if (word === 'on' ? drain !== undefined : !isOurs) return;
  const deadline = new Date(clock.now() + (plan.drain ?? 0)).toISOString();
  const wanted =
    word === 'on' ? { ...spec, drain: { reason: `${plan.word}${action}`, owner: actor, deadline } } : spec;
  await store.write({
    ...{ actor: `run:${id}`, guard: 'exempt' },
    edits: [{ op: 'put', where: '', ifMatch: node.revision, resource: { kind: 'Node', name, spec: wanted } }],
  });
}

const resumedOf = ({ run: { id, action, selector } }: Rolled): Happening => ({
  ...{ type: 'run.resumed', severity: 'info', subject: action, data: { run: id } },
  message: `${action} on ${selector} goes on`,
});

/** What ends the turns of nodes whose command is over. */
const lastMoves = ({ commands }: Rolled): Move[] =>
  [...commands.values()].flatMap((command) =>
    isTurning(command) && !isOpen(command.state) && command.turn !== null
      ? [{ node: command.node, turn: { ...command.turn, ...LAST }, drain: 'off' as const }]
      : [],
  );
const LAST = { phase: 'done', overdue: false, why: '' } as const;

/** Tried again each second; told once for each cause. */
function goesWrong(rolled: Rolled, cause: string, { emit, log }: RollingOptions): void {
  if (rolled.wrong === cause) return;
  const { id, action, selector } = rolled.run;
  rolled.wrong = cause;
  log.error({ run: id, err: cause }, 'a rolling run could not go on');
  const message = `${action} on ${selector} cannot go on, and is tried again: ${cause}`;
  emit({ type: 'run.stopped', severity: 'error', subject: action, data: { run: id }, message });
}

/** What operators hear of: that it stops, that it goes on, and that it is over. */
function tell(rolled: Rolled, emit: RollingOptions['emit']): void {
  const { run, plan } = rolled;
  const commands = [...rolled.commands.values()];
  const about = { subject: run.action, data: { run: run.id } };
  const waiting = commands.filter(({ turn }) => turn?.phase === 'waits').length;
  const failed = commands.filter(hasFailed);
  const stopped = waiting > 0 && isStopped(plan, commands);
  if (stopped && !rolled.stopped) {
    const names = failed.map(({ node }) => node).join(', ');
    const message = `${run.action} on ${run.selector} begins on no other node: ${names} failed; ${waiting} wait for that`;
    emit({ ...about, type: 'run.stopped', severity: 'warning', message });
  }
  if (!stopped && rolled.stopped && waiting > 0) emit(resumedOf(rolled));
  rolled.stopped = stopped;
  if (commands.some(isTurning)) return;
  const done = commands.filter(({ state }) => state === 'succeeded').length;
  const message = `${run.action} on ${run.selector} is over: done on ${done} of ${commands.length} nodes`;
  emit({ ...about, type: 'run.ended', severity: 'info', message });
}
