/** Frames: every packet is measured by the length that it announces, before any of it is kept: the parser would take 256 MiB. */
import type { Duplex } from 'node:stream';
import { topics } from '../../protocol/topics.ts';

/** The largest packet of each kind, without its first bytes. The first packet of a connection is a CONNECT [MQTT-3.1.0-1]. */
export interface FrameBounds {
  connect: number;
  publish: number;
  other: number;
}

/** A topic, a client id and the lengths beside them. */
const AROUND = 4096;
const rows = Object.values(topics);
const largest = Math.max(...rows.filter(({ writer }) => writer === 'node').map(({ limit }) => limit));

export const frameBounds: FrameBounds = {
  connect: topics.status.limit + AROUND,
  // One that is a little too large is acknowledged and dropped: its sender would come back with it for ever.
  publish: 2 * largest,
  // The filters of a node with all the roles that it can have.
  other: 16 * 1024,
};

const [CONNECT, PUBLISH] = [1, 3];
/** A length has at most four bytes [MQTT-2.2.3]. */
const LONGEST = 128 ** 3;

/** Walks over the bytes of one connection. @returns what is wrong, once something is */
export function createMeter(bounds: FrameBounds): (bytes: Buffer) => string | undefined {
  let kind: number | undefined;
  let [length, weight, body] = [0, 1, 0];
  let isFirst = true;

  const begin = (byte: number): string | undefined => {
    kind = byte >> 4;
    [length, weight] = [0, 1];
    if (isFirst && kind !== CONNECT) return 'the first packet is no CONNECT';
    isFirst = false;
    return undefined;
  };
  const measure = (byte: number): string | undefined => {
    length += (byte & 127) * weight;
    const bound = kind === PUBLISH ? bounds.publish : kind === CONNECT ? bounds.connect : bounds.other;
    if (length > bound) return `a packet announces at least ${length} bytes, ${bound} are taken`;
    if (byte < 128) [kind, body] = [undefined, length];
    else if (weight === LONGEST) return 'the length of a packet has more than four bytes';
    weight *= 128;
    return undefined;
  };
  return (bytes) => {
    for (let at = 0; at < bytes.length; ) {
      const skipped = Math.min(body, bytes.length - at);
      body -= skipped;
      at += skipped;
      const byte = bytes[at];
      if (byte === undefined) return undefined;
      at += 1;
      const wrong = kind === undefined ? begin(byte) : measure(byte);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
}

/**
 * Measures what is read from a connection, by whoever reads it with `read()`, as the broker does: nothing is copied, and
 * what is written is not touched. A connection that breaks a bound is destroyed with the reason.
 */
export function bound(connection: Duplex, bounds: FrameBounds, broken: (why: string) => void): void {
  const [read, meter] = [connection.read.bind(connection), createMeter(bounds)];
  connection.read = (size?: number): Buffer | null => {
    const bytes = read(size) as Buffer | null;
    const wrong = bytes === null ? undefined : meter(bytes);
    if (wrong === undefined) return bytes;
    broken(wrong);
    connection.destroy(new Error(wrong));
    return null;
  };
}
