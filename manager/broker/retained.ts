/** What is retained, found by a walk along its topic: what a filter costs depends on what it matches, not on all there is. */
import { Readable } from 'node:stream';
import type { PublishPacket } from 'aedes';
import packaged from 'aedes-persistence';

export interface Retained {
  /** Keeps the last message of a topic; an empty one forgets it. */
  keep(packet: PublishPacket): void;
  /** Those whose topic a filter matches, as MQTT 3.1.1 says in 4.7. */
  matching(filter: string): Iterable<PublishPacket>;
}

interface Level {
  packet?: PublishPacket;
  below: Map<string, Level>;
}

export function createRetained(): Retained {
  const root: Level = { below: new Map() };
  return {
    keep: (packet) => {
      const levels = packet.topic.split('/');
      if (packet.payload.length > 0) grown(root, levels).packet = { ...packet };
      else forget(root, levels);
    },
    matching: (filter) => matchesIn(root, filter.split('/'), 0),
  };
}

/** What the module exports is the function itself, though its types say that it lies in `default`. */
export const memory = packaged as unknown as typeof packaged.default;

/** aedes' own memory, which scans every retained message for each subscription, but for that scan. */
export function createPersistence() {
  const retained = createRetained();
  const found = function* (filters: readonly string[]) {
    for (const filter of filters) yield* retained.matching(filter);
  };
  return Object.assign(memory(), {
    storeRetained: async (packet: PublishPacket) => retained.keep(packet),
    createRetainedStream: (filter: string) => Readable.from(found([filter])),
    createRetainedStreamCombi: (filters: readonly string[]) => Readable.from(found(filters)),
  });
}

function grown(root: Level, levels: readonly string[]): Level {
  let at = root;
  for (const level of levels) {
    const next = at.below.get(level) ?? { below: new Map() };
    at.below.set(level, next);
    at = next;
  }
  return at;
}

/** Branches that lead nowhere any more go with it, so that nodes that come and go leave nothing behind. */
function forget(at: Level, [level, ...rest]: readonly string[]): void {
  if (level === undefined) {
    delete at.packet;
    return;
  }
  const next = at.below.get(level);
  if (!next) return;
  forget(next, rest);
  if (!next.packet && next.below.size === 0) at.below.delete(level);
}

function* matchesIn(at: Level, filter: readonly string[], depth: number): Generator<PublishPacket> {
  const level = filter[depth];
  if (level === undefined) {
    if (at.packet) yield at.packet;
  } else if (level === '#') yield* allOf(at, depth);
  else if (level === '+')
    for (const [name, next] of at.below) {
      if (isOpen(name, depth)) yield* matchesIn(next, filter, depth + 1);
    }
  else {
    const next = at.below.get(level);
    if (next) yield* matchesIn(next, filter, depth + 1);
  }
}

function* allOf(at: Level, depth: number): Generator<PublishPacket> {
  if (at.packet) yield at.packet;
  for (const [name, next] of at.below) if (isOpen(name, depth)) yield* allOf(next, depth + 1);
}

/** A wildcard at the front does not match what is the broker's own [MQTT-4.7.2-1]. */
const isOpen = (name: string, depth: number) => depth > 0 || !name.startsWith('$');
