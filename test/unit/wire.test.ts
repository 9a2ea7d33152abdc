/** The wire between releases: what every protocol that is still served says is read, and what a newer one adds is passed over. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { describe, expect, it } from 'vitest';
import {
  Answer,
  Ask,
  Beat,
  Changes,
  Envelope,
  Head,
  Incarnation,
  Lease,
  PoolState,
  Receipt,
  Report,
  Status,
  Traffic,
} from '../../protocol/messages.ts';
import { PROTOCOL, PROTOCOL_OLDEST } from '../../protocol/version.ts';

const messages = {
  ...{
    Answer,
    Ask,
    Beat,
    Changes,
    Envelope,
    Head,
    Incarnation,
    Lease,
    PoolState,
    Receipt,
    Report,
    Status,
    Traffic,
  },
};
type Kind = keyof typeof messages;
type Said = Partial<Record<Kind, object[]>>;

/** Each message with no more than what that protocol always says. A field that is new must be optional, or the protocol is. */
const recorded = (version: number): Said =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, '..', 'golden', 'wire', `protocol-${version}.json`), 'utf8'),
  ) as Said;

const served = Array.from({ length: PROTOCOL - PROTOCOL_OLDEST + 1 }, (_, at) => PROTOCOL_OLDEST + at);
const cases = served.flatMap((version) =>
  Object.entries(recorded(version)).flatMap(([kind, all]) =>
    all.map((message): [number, Kind, object] => [version, kind as Kind, message]),
  ),
);

const reads = (kind: Kind, message: object) => Compile(messages[kind] as TSchema).Check(message);

/** Names are the keys of these. */
const MAPS = new Set(['touches', 'scopes', 'timing']);

/** The same with a field more in every object of it. */
const widened = (value: unknown, isMap = false): unknown => {
  if (Array.isArray(value)) return value.map((one) => widened(one));
  if (value === null || typeof value !== 'object') return value;
  const all = Object.entries(value).map(([key, one]) => [key, widened(one, MAPS.has(key))]);
  return Object.fromEntries(isMap ? all : [...all, ['futureField', 1]]);
};

describe('[4.6] agents and managers of protocols that are still served', () => {
  it.each(cases)('protocol %i: a %s of then is read', (_, kind, message) => {
    expect(reads(kind, message)).toBe(true);
  });

  it.each(cases)(
    'protocol %i: a %s with fields that this release does not know is read',
    (_, kind, message) => {
      expect(reads(kind, widened(message) as object)).toBe(true);
    },
  );

  it('a manager serves the protocol before its own', () => {
    expect(PROTOCOL_OLDEST).toBe(Math.max(1, PROTOCOL - 1));
  });
});
