/** What a unit remembers: the version of every resource with which it was last good, and which versions are held back. */
import type { Item } from '../../common/render/rendered.ts';
import type { HeldItem } from '../../protocol/messages.ts';
import { canonical } from '../../protocol/resource.ts';
import { split } from './scopes.ts';

/** A version that is not rendered, until the resource changes again, an operator retries, or a sweep finds its cause gone. */
export interface Hold {
  /** The version that failed; null when its removal did. */
  digest: string | null;
  serving: HeldItem['serving'];
  reason: string;
  /** All that was said, where the reason is a part of it. */
  detail?: string;
  /** It had passed the checker and did harm when it was served: only an operator has it tried again. */
  harmful?: true;
}

/** Versions by key; null stands for "there is none". */
export type Versions = Map<string, Item | null>;

export interface UnitMemory {
  /** Every resource whose version is another one than when the unit was last good, and what it is now. */
  changed(): Versions;
  /** The version with which the unit was last good. */
  good(key: string): Item | null;
  /** What to render: the version of now, the last good one where that is held back, or nothing. */
  effective(key: string): Item | null;
  held(): HeldItem[];
  /** A version that is held back already. */
  isHeld(key: string): boolean;
}

/** As it is written to the log. A version is its kind, name, and canonical spec. */
export interface MemoryRecord {
  t: 'unit';
  unit: string;
  settled: boolean;
  good: [key: string, digest: string | null, body: string | null][];
  held: [key: string, hold: Hold][];
}

/** The part of the desired state that a memory looks at. */
export interface Present {
  get(key: string): Item | undefined;
  keys(): Iterable<string>;
}

export interface KeptMemory extends UnitMemory {
  /** A resource is about to become another version: `before` is what it is until now. */
  noteChange(key: string, before: Item | undefined, after: Item | undefined): void;
  /** The memory after the unit has proven good with these versions of what had changed. */
  settled(tried: Versions): MemoryRecord;
  /** The memory with more held back. */
  holding(holds: Iterable<[string, Hold]>): MemoryRecord;
  /** What is held back, as far as it may be tried again. */
  releasable(options: { harmful: boolean }): string[];
  releasing(keys: readonly string[]): MemoryRecord;
  record(): MemoryRecord;
  load(record: MemoryRecord): void;
}

const digestOf = (item: Item | null | undefined) => item?.digest ?? null;

const versionIn = ([key, digest, body]: MemoryRecord['good'][number]): [string, Item | null] => {
  const [kind, name] = split(key);
  return [key, body === null ? null : ({ kind, name, digest, spec: JSON.parse(body) } as Item)];
};

export function createUnitMemory(unit: string, present: Present): KeptMemory {
  /** False until the unit was good for the first time: until then there is no last good version of anything. */
  let settled = false;
  /** Only where the last good version is not that of now, so that it never holds more than two desired states. */
  let good: Versions = new Map();
  let held = new Map<string, Hold>();

  const now = (key: string): Item | null => present.get(key) ?? null;
  const lastGood = (key: string): Item | null => {
    if (!settled) return null;
    return good.has(key) ? (good.get(key) ?? null) : now(key);
  };
  const holdOf = (key: string): Hold | undefined => {
    const hold = held.get(key);
    return hold?.digest === digestOf(now(key)) ? hold : undefined;
  };
  const servedUnder = (key: string, hold: Hold) => (hold.serving === 'nothing' ? null : lastGood(key));
  const recordOf = (isSettled: boolean, versions: Versions, holds: Map<string, Hold>): MemoryRecord => ({
    t: 'unit',
    unit,
    settled: isSettled,
    good: [...versions].map(([key, item]) => [key, digestOf(item), item && canonical(item.spec)]),
    held: [...holds].filter(([key]) => holdOf(key) !== undefined || !held.has(key)),
  });
  /** Of keys that the pass tried, the tried version is good; of others, what was good before. */
  const goodAfter = (tried: Versions): Versions => {
    const keys = settled ? good.keys() : new Set([...tried.keys(), ...present.keys()]);
    const versions: Versions = new Map();
    for (const key of keys) {
      const version = tried.has(key) ? (tried.get(key) ?? null) : lastGood(key);
      if (digestOf(version) !== digestOf(now(key))) versions.set(key, version);
    }
    return versions;
  };
  return {
    changed: () => {
      const keys = settled ? good.keys() : present.keys();
      return new Map([...keys].map((key) => [key, now(key)]));
    },
    good: lastGood,
    effective: (key) => {
      const hold = holdOf(key);
      return hold ? servedUnder(key, hold) : now(key);
    },
    isHeld: (key) => holdOf(key) !== undefined,
    held: () =>
      [...held].flatMap(([key, hold]) => {
        const [kind, name] = split(key);
        if (!holdOf(key)) return [];
        const serving = servedUnder(key, hold) ? 'last-good' : 'nothing';
        const { reason, detail } = hold;
        return [{ kind, name, serving, reason, ...(detail === undefined ? {} : { detail }) }];
      }),
    noteChange: (key, before, after) => {
      held.delete(key);
      if (!settled) return;
      const version = good.has(key) ? (good.get(key) ?? null) : (before ?? null);
      if (digestOf(version) === digestOf(after)) good.delete(key);
      else good.set(key, version);
    },
    settled: (tried) => recordOf(true, goodAfter(tried), held),
    holding: (holds) => recordOf(settled, good, new Map([...held, ...holds])),
    releasable: ({ harmful }) =>
      [...held].filter(([key, hold]) => holdOf(key) && (harmful || !hold.harmful)).map(([key]) => key),
    releasing: (keys) => recordOf(settled, good, new Map([...held].filter(([key]) => !keys.includes(key)))),
    record: () => recordOf(settled, good, held),
    load: (record) => {
      settled = record.settled;
      good = new Map(record.good.map(versionIn));
      held = new Map(record.held);
    },
  };
}
