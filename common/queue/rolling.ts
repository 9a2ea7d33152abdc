/** A rolling run: whose turn it is, and when the node before is well. Pure: what is seen comes in, what each turn becomes comes out. */
import { isOpen, type TurnPhase } from '../../protocol/queue.ts';
import type { NodeView, PoolView } from '../../protocol/views.ts';
import { isOut, standingOf } from '../serving.ts';
import { beforeOf, missedIn, worseThan } from '../wellness.ts';
import type { Command } from './command.ts';
import { firstTurn, type Turn } from './turn.ts';

/** What of the options of a run is needed here. */
export interface Plan {
  /** How many nodes at once. */
  size: number;
  /** Milliseconds that connections have to end; null: nothing is drained. */
  drain: number | null;
  stopAfter: number;
  /** What the reason begins with by which this run drains a node, and nobody else. */
  word: string;
}

export interface Seen {
  now: number;
  /** Undefined for one that is no member any more. */
  node: (name: string) => SeenNode | undefined;
  pools: readonly PoolView[];
  /** Nodes that other runs have in hand. */
  away: ReadonlySet<string>;
  /** Of these, those with which they will be done by themselves: no other run begins there before. */
  taken: ReadonlySet<string>;
  /** Nodes that somebody else has set aside. */
  aside: ReadonlySet<string>;
  /** Why a command could not be handed out now, were it open; undefined: it could. */
  blocked: (command: Command) => string | undefined;
}
export type SeenNode = Pick<NodeView, 'name' | 'online' | 'converged' | 'checks' | 'drain'>;

/** A turn as it is to be, and what is to be said of the node before that is noted. */
export interface Move {
  node: string;
  turn: Turn;
  drain?: 'on' | 'off';
}

/** Longer than checks and directors need to notice what has broken. */
const STEADY_MS = 10_000;
/** To be well again, after which it counts as a failure; it may still become well. */
const PATIENCE_MS = 10 * 60_000;
/** Beyond its deadline a drain takes the directors another look or two. */
const LEAVE_MS = 15_000;

/** @param size `2`, or a share such as `25%`: one at least */
export const sizeOf = (size: string, nodes: number): number =>
  size.endsWith('%') ? Math.max(1, Math.floor((Number.parseInt(size, 10) / 100) * nodes)) : Number(size);

/** Whether a run has anything left to do with a node. */
export const isTurning = ({ turn }: Command): boolean => turn !== null && turn.phase !== 'done';

/** Whether it counts for `stopAfter`: it stands failed, also while it is tried again, or its node is not well in time. */
export const hasFailed = ({ state, number, turn }: Pick<Command, 'state' | 'number' | 'turn'>): boolean =>
  turn !== null &&
  (turn.overdue ||
    (turn.phase === 'open' &&
      (state === 'failed' || state === 'unknown' || (state === 'running' && number > 1))));

/** Whether so many have failed that no other turn begins. */
export const isStopped = ({ stopAfter }: Pick<Plan, 'stopAfter'>, commands: readonly Command[]): boolean =>
  commands.filter(hasFailed).length >= stopAfter;

/** What follows from what is seen; nothing where everything stands as it should. */
export function movesOf(plan: Plan, commands: readonly Command[], seen: Seen): Move[] {
  const moves = commands.flatMap((command) => onward(command, plan, seen) ?? []);
  const turns = new Map(moves.map(({ node, turn }) => [node, turn]));
  const by = commands.map((command) => ({ ...command, turn: turns.get(command.node) ?? command.turn }));
  const busy = by.filter((command) => isInHand(command) && !hasFailed(command)).length;
  const free = isStopped(plan, by) ? 0 : Math.max(0, plan.size - busy);
  return [...moves, ...begun(plan, by, { seen, free })];
}

/** Whether a run works on the node. */
export const isInHand = ({ turn }: Pick<Command, 'turn'>): boolean =>
  turn !== null && turn.phase !== 'waits' && turn.phase !== 'done';

/** The turns that begin now, in the order of the commands; who is passed over for now is told why. */
function begun(
  plan: Plan,
  commands: readonly Command[],
  { seen, free }: { seen: Seen; free: number },
): Move[] {
  const own = commands.filter(isInHand).map(({ node }) => node);
  const away = new Set([...seen.away, ...own]);
  const standing = standingOf(seen.pools, { away, aside: seen.aside });
  const moves: Move[] = [];
  let left = free;
  for (const command of commands) {
    const { turn, node: name } = command;
    const node = seen.node(name);
    if (turn?.phase !== 'waits' || node === undefined) continue;
    const blocked = seen.taken.has(name) ? 'another run has it in hand' : seen.blocked(command);
    const keeps = plan.drain === null || left === 0 ? undefined : standing.keeps(name);
    const why = waitsFor(node, blocked, keeps?.alone && away.size === 0 ? undefined : keeps?.why);
    if (why !== '' || left === 0) {
      if (why !== turn.why) moves.push({ node: name, turn: { ...turn, why } });
      continue;
    }
    const served = standing.served(name);
    const drains = plan.drain !== null && keeps === undefined && served.length > 0;
    const before = beforeOf(node, served);
    const phase = drains ? 'drains' : 'open';
    moves.push({ node: name, turn: { ...firstTurn(seen.now), phase, before, drained: drains } });
    standing.take(name);
    away.add(name);
    left -= 1;
    // Somebody has to serve: it goes as it is, and nobody beside it.
    if (keeps !== undefined) left = 0;
  }
  return moves;
}

const waitsFor = ({ online }: SeenNode, blocked: string | undefined, kept?: string): string =>
  online ? (blocked ?? kept ?? '') : UNHEARD;

const UNHEARD = 'it is not heard';

const isOurs = ({ drain }: SeenNode, plan: Plan): boolean => drain?.startsWith(plan.word) ?? false;

/** @returns undefined where the turn stays as it is */
function onward(command: Command, plan: Plan, seen: Seen): Move | undefined {
  const { turn, node: name } = command;
  if (turn === null || turn.phase === 'done') return undefined;
  const node = seen.node(name);
  const next = (changed: Partial<Turn>, drain?: Move['drain']): Move => ({
    ...{ node: name, turn: { ...turn, ...changed } },
    ...(drain && { drain }),
  });
  const enter = (phase: TurnPhase, drain?: Move['drain']): Move =>
    next({ phase, since: seen.now, silent: null, well: null, overdue: false, why: '' }, drain);
  if (node === undefined) return enter('done');
  // The clock was wrong, and was set back.
  if (turn.since > seen.now || (turn.well ?? 0) > seen.now) return next({ since: seen.now, well: null });
  const known = { command, turn, node, next, enter, off: isOurs(node, plan) ? ('off' as const) : undefined };
  const isOver = !isOpen(command.state);
  if (turn.phase === 'waits') {
    return isOver ? enter('done', known.off) : undefined;
  }
  if (turn.phase === 'settles') return settled(known, seen);
  if (isOver) return enter('settles', known.off);
  return turn.phase === 'open' ? opened(known, seen) : drained(known, plan, seen);
}

interface Known {
  command: Command;
  turn: Turn;
  node: SeenNode;
  next: (changed: Partial<Turn>, drain?: Move['drain']) => Move;
  enter: (phase: TurnPhase, drain?: Move['drain']) => Move;
  /** The run has drained it. */
  off: 'off' | undefined;
}

function drained({ turn, node, next, enter, off }: Known, plan: Plan, seen: Seen): Move | undefined {
  if (!turn.said) return next({ said: true, since: seen.now }, 'on');
  const since = seen.now - turn.since;
  const limit = plan.drain ?? 0;
  // Somebody has taken our word back: he wants it to serve meanwhile.
  if (off === undefined || isOut(node.name, seen.pools, since >= limit)) return enter('open');
  if (since < limit + LEAVE_MS || turn.overdue) return undefined;
  return next({ overdue: true, why: 'it has not left its pools in time' });
}

/** What runs may take long; one that is away meanwhile, or whose queue is paused, holds up the others only for a while. */
function opened({ command, turn, node, next }: Known, seen: Seen): Move | undefined {
  const blocked = command.state === 'waiting' ? seen.blocked(command) : undefined;
  const why = node.online ? (blocked ?? '') : AWAY;
  const silent = why === '' ? null : why === turn.why ? turn.silent : seen.now;
  const overdue = silent !== null && seen.now - silent >= PATIENCE_MS;
  const isSame = silent === turn.silent && overdue === turn.overdue && why === turn.why;
  return isSame ? undefined : next({ silent, overdue, why });
}

const AWAY = `${UNHEARD}; if it is gone for good, evenkeel node remove ends its turn`;

function settled({ turn, node, next, enter, off }: Known, seen: Seen): Move | undefined {
  const ill = illness(turn, node, seen);
  if (ill === undefined && turn.well !== null)
    return seen.now - turn.well >= STEADY_MS ? enter('done', off) : off && next({}, off);
  const overdue = ill !== undefined && seen.now - turn.since >= PATIENCE_MS;
  const changed = { well: ill === undefined ? seen.now : null, overdue, why: ill ?? '' };
  const isSame = turn.well === changed.well && turn.overdue === overdue && turn.why === changed.why;
  return isSame && off === undefined ? undefined : next(changed, off);
}

/** Of a node that an operator has set aside meanwhile, nobody asks that it serves. */
function illness({ before }: Turn, node: SeenNode, { pools, aside }: Seen): string | undefined {
  if (before === null) return undefined;
  const worse = worseThan(before, node);
  if (worse !== undefined || aside.has(node.name)) return worse;
  const missed = missedIn(before, node.name, pools);
  return missed === undefined ? undefined : `it is not back in the pool of ${missed}`;
}
