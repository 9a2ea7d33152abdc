/**
 * Observed: what nodes have said of themselves, in memory, since they say it all again on connect.
 *
 *                 status: online                    no beat for a while
 *   (unknown) ─────────────────────► fresh ◄────────────────────────────► silent
 *                                      │          a beat of its session       │
 *                                      └──────────► gone ◄────────────────────┘
 *                                        its own will, or `offline`
 *
 * A message of a session that is over changes nothing: the will of an old connection may arrive after the new one.
 */
import type { Clock } from '../../common/clock.ts';
import type { Beat, PoolReport, Report, ScopeName, Status } from '../../protocol/messages.ts';
import type { EventLine } from '../../protocol/views.ts';
import { alarmKey, clearedAlarm, type Happening, happeningsOf } from './happenings.ts';
import {
  behindOf,
  emptyMemory,
  type Head,
  MOST,
  type NodeMemory,
  remember,
  type Stand,
  seenBefore,
  standsOf,
} from './memory.ts';
import { dropAlarms, recall, type Told, tell } from './told.ts';

export interface Observed {
  status(node: string, status: Status): void;
  beat(node: string, beat: Beat): void;
  report(node: string, report: Report): void;
  /** The node was removed: nothing of it is kept. */
  forget(node: string): void;
  /** What a node said; undefined when it never spoke to this manager. Not to be changed. */
  of(node: string): Readonly<NodeMemory> | undefined;
  nodes(): string[];
  /** What each director last reported of a service. */
  poolReports(service: string): { director: string; report: PoolReport }[];
  /** Called when something that health weighs has changed: presence, checks, units, pools. */
  onChange(listener: (node: string) => void): () => void;
  /** Begins to watch for silence. @param before the last event about each thing, from an earlier run */
  start(before?: readonly EventLine[]): () => void;
}

export interface ObservedOptions {
  clock: Clock;
  emit: (happening: Happening) => void;
  /** Where all scopes that a node follows stand, in the order in which beats list them. */
  headsOf: (node: string) => readonly Head[];
  /** Milliseconds without a beat after which a node counts as silent: a little more than three beats. */
  silentAfter?: number;
}

const LOOK_EVERY_MS = 500;
/** Beats of a session after which a node has said again all that holds. */
const ALL_SAID = 5;

export function createObserved({ clock, emit, headsOf, silentAfter = 7000 }: ObservedOptions): Observed {
  const memories = new Map<string, NodeMemory>();
  /** Also of nodes that have not spoken to this run of the manager. */
  const tolds = new Map<string, Told>();
  const listeners = new Set<(node: string) => void>();
  const changed = (node: string) => {
    for (const listener of listeners) listener(node);
  };
  const memoryOf = (node: string): NodeMemory => {
    const known = memories.get(node) ?? emptyMemory();
    memories.set(node, known);
    return known;
  };
  const toldOf = (node: string): Told => {
    const told = tolds.get(node) ?? new Map();
    tolds.set(node, told);
    return told;
  };
  const say = (node: string, severity: Happening['severity'], type: string, message: string) =>
    emit({ type, severity, node, subject: node, message });
  const heard = (memory: NodeMemory) => {
    memory.heardAt = clock.now();
    memory.heardTick = clock.monotonic();
  };
  const setFresh = (node: string, memory: NodeMemory, fresh: boolean) => {
    if (memory.fresh === fresh) return;
    memory.fresh = fresh;
    changed(node);
  };

  const status = (node: string, said: Status) => {
    const memory = memoryOf(node);
    const isSame = memory.status?.session === said.session;
    if (said.state === 'offline') {
      if (!isSame || memory.status?.state === 'offline') return;
      memory.status = said;
      say(node, 'warning', 'node.offline', `${node} has disconnected`);
      return setFresh(node, memory, false);
    }
    if (!isSame) startSession(memory);
    if (!isSame || memory.status?.state === 'offline')
      say(node, 'info', 'node.online', `${node} is connected`);
    memory.status = said;
    if (!isSame) memory.target = behindOf(new Map(Object.entries(said.scopes)), headsOf(node));
    heard(memory);
    memory.fresh = true;
    changed(node);
  };
  const beat = (node: string, said: Beat) => {
    const memory = memories.get(node);
    if (memory?.status?.session !== said.s || memory.status.state === 'offline') return;
    if (memory.beat && said.n <= memory.beat.n) return;
    memory.beat = said;
    memory.beats += 1;
    if (memory.beats === ALL_SAID)
      for (const alarm of dropAlarms(toldOf(node), memory.alarms)) emit(clearedAlarm(node, alarm));
    heard(memory);
    const arrived = approach(memory, standsOf(memory, headsOf(node)));
    if (!memory.fresh) say(node, 'info', 'node.heard', `${node} is heard again`);
    if (memory.fresh && !arrived) return;
    memory.fresh = true;
    changed(node);
  };
  const report = (node: string, said: Report) => {
    const memory = memoryOf(node);
    if (seenBefore(memory.seen, said.id)) return;
    const isStale = memory.status !== undefined && memory.status.session !== said.session;
    if (!(isStale && isStateOnly(said))) happeningsOf(node, said, toldOf(node)).forEach(emit);
    if (isStale && !isFirstOfUnit(memory, said)) return;
    keep(memory, said);
    tell(toldOf(node), said);
    if (said.type === 'unit') approach(memory, new Map(Object.entries(said.scopes)));
    changed(node);
  };
  const lookForSilence = () => {
    for (const [node, memory] of memories)
      if (memory.fresh && clock.monotonic() - memory.heardTick > silentAfter) {
        say(node, 'warning', 'node.silent', `${node} has not been heard for ${silentAfter / 1000} s`);
        setFresh(node, memory, false);
      }
  };

  return {
    status,
    beat,
    report,
    forget: (node) => {
      tolds.delete(node);
      if (memories.delete(node)) changed(node);
    },
    of: (node) => memories.get(node),
    nodes: () => [...memories.keys()],
    poolReports: (service) =>
      [...memories].flatMap(([director, { pools, fresh }]) => {
        const held = pools.get(service);
        return held && fresh ? [{ director, report: held }] : [];
      }),
    onChange: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    start: (before = []) => {
      for (const line of before) if (line.node !== undefined) recall(toldOf(line.node), line);
      return clock.every(LOOK_EVERY_MS, lookForSilence);
    },
  };
}

/** A new session says its checks, alarms and pools again; how its units ended stands on its disk and stays true. */
function startSession(memory: NodeMemory): void {
  memory.checks.clear();
  memory.alarms.clear();
  memory.pools.clear();
  memory.storages.clear();
  memory.beat = undefined;
  memory.beats = 0;
}

/** Takes what was reached off the node's target; true when that was the last of it. */
function approach(memory: NodeMemory, stands: ReadonlyMap<ScopeName, Stand>): boolean {
  const before = memory.target.length;
  memory.target = behindOf(stands, memory.target);
  return before > 0 && memory.target.length === 0;
}

/** Reports that only say how something is, not that something happened. */
const isStateOnly = ({ type }: Report): boolean => ['check', 'pool', 'alarm', 'storage'].includes(type);

const isFirstOfUnit = (memory: NodeMemory, said: Report): boolean =>
  said.type === 'unit' && !memory.units.has(said.unit);

function keep(memory: NodeMemory, said: Report): void {
  if (said.type === 'unit') {
    const { diffs: _, ...stand } = said;
    remember(memory.units, said.unit, stand, MOST.units);
  }
  if (said.type === 'check') remember(memory.checks, `${said.unit}/${said.check}`, said, MOST.checks);
  if (said.type === 'pool') remember(memory.pools, said.service, said, MOST.pools);
  if (said.type === 'storage') remember(memory.storages, said.storage, said, MOST.storages);
  if (said.type === 'alarm' && said.active) remember(memory.alarms, alarmKey(said), said, MOST.alarms);
  if (said.type === 'alarm' && !said.active) memory.alarms.delete(alarmKey(said));
}
