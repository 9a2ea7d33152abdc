/** The memory of one node: what it said last, bounded, so that no node can fill the manager. */
import type {
  AlarmReport,
  Beat,
  CheckReport,
  PoolReport,
  ScopeName,
  Status,
  StorageReport,
  UnitReport,
} from '../../protocol/messages.ts';

/** Of a unit's report everything but its diffs, which live on in the events alone. */
export type UnitStand = Omit<UnitReport, 'diffs'>;

export interface NodeMemory {
  /** Undefined until the node has said who it is. */
  status?: Status;
  beat?: Beat;
  /** Milliseconds since the epoch, for people; and in monotonic time, for judging silence. */
  heardAt: number;
  heardTick: number;
  /** Heard of late, and not gone. */
  fresh: boolean;
  /** The heads that it must still reach: its session began behind them. */
  target: Head[];
  units: Map<string, UnitStand>;
  /** By `unit/check`; `since` is when the state began, as the node says. */
  checks: Map<string, CheckReport>;
  alarms: Map<string, AlarmReport>;
  pools: Map<string, PoolReport>;
  /** By storage: how far it has come with copying it. */
  storages: Map<string, StorageReport>;
  /** Beats of this session. */
  beats: number;
  /** Reports that were taken already: they are sent again until the receipt arrives. */
  seen: Set<string>;
}

export const emptyMemory = (): NodeMemory => ({
  heardAt: 0,
  heardTick: 0,
  fresh: false,
  target: [],
  units: new Map(),
  checks: new Map(),
  alarms: new Map(),
  pools: new Map(),
  storages: new Map(),
  beats: 0,
  seen: new Set(),
});

/** The most that is remembered of each sort, for one node. */
export const MOST = { units: 64, checks: 512, alarms: 128, pools: 1024, storages: 64, seen: 512 };

/** Keeps the newest `most` entries: the one set longest ago gives way. */
export function remember<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  dropOldest(map, most);
}

/** Whether the id was seen before; from now on it was. */
export function seenBefore(seen: Set<string>, id: string): boolean {
  if (seen.has(id)) return true;
  seen.add(id);
  dropOldest(seen, MOST.seen);
  return false;
}

function dropOldest(held: Map<string, unknown> | Set<string>, most: number): void {
  for (const key of held.keys()) {
    if (held.size <= most) return;
    held.delete(key);
  }
}

export interface Stand {
  epoch: number;
  rev: number;
}

/** Where a scope stands by the journal. */
export interface Head extends Stand {
  scope: ScopeName;
}

/** The heads, of those given, that a node has not reached. */
export const behindOf = (stands: ReadonlyMap<ScopeName, Stand>, heads: readonly Head[]): Head[] =>
  heads.filter((head) => !reached(stands.get(head.scope), head));

const reached = (stand: Stand | undefined, head: Stand): boolean =>
  stand === undefined
    ? head.rev === 0
    : stand.epoch > head.epoch || (stand.epoch === head.epoch && stand.rev >= head.rev);

/**
 * Where a node stands in each scope that it follows: by its latest beat, else by the status it began with.
 * @param heads of all scopes that it follows, in the order in which beats list them
 */
export function standsOf(memory: NodeMemory, heads: readonly Head[]): Map<ScopeName, Stand> {
  const { beat, status } = memory;
  if (beat && beat.r.length === heads.length)
    return new Map(heads.map(({ scope }, index) => [scope, { epoch: beat.e, rev: beat.r[index] ?? 0 }]));
  return new Map(Object.entries(status?.scopes ?? {}));
}
