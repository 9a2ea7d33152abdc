/** Cutting: what an event carries is bounded before it is kept, and says so where something was left out. Pure. */
import type { EventLine } from '../../protocol/views.ts';

type Happening = Omit<EventLine, 'id' | 'at'>;

const MOST_DATA = 32 * 1024;
const MOST_TEXT = 4 * 1024;

const sizeOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '');

/** The same event where it is small enough; else without its largest parts, which `cut` in its data names. */
export function cut<T extends Happening>(happening: T): T {
  const { subject, message, data } = happening;
  const size = sizeOf(data);
  if (size <= MOST_DATA && subject.length <= MOST_TEXT && message.length <= MOST_TEXT) return happening;
  return {
    ...happening,
    ...{ subject: shortened(subject), message: shortened(message) },
    ...(data === undefined ? {} : { data: size > MOST_DATA ? withoutMost(data, size) : data }),
  };
}

const shortened = (text: string): string =>
  text.length <= MOST_TEXT
    ? text
    : `${text.slice(0, MOST_TEXT)}... (cut, ${text.length - MOST_TEXT} characters more)`;

/** The largest field loses the end of its list, or goes; then the next one. */
function withoutMost(data: unknown, size: number): object {
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data);
  const fields = Object.entries(isObject ? data : { data });
  fields.sort(([, a], [, b]) => sizeOf(b) - sizeOf(a));
  let over = size - MOST_DATA + 1024;
  const left: string[] = [];
  const kept = fields.flatMap(([name, value]) => {
    if (over <= 0) return [[name, value]];
    const shorter = Array.isArray(value) ? firstOf(value, sizeOf(value) - over) : undefined;
    over -= sizeOf(value) - (shorter === undefined ? 0 : sizeOf(shorter));
    left.push(name.slice(0, 100));
    return shorter === undefined ? [] : [[name, shorter]];
  });
  return { ...Object.fromEntries(kept), cut: { fields: left.slice(0, 5), bytes: size } };
}

/** As many as have room. */
function firstOf(items: readonly unknown[], room: number): unknown[] {
  let used = 2;
  const end = items.findIndex((item) => {
    used += sizeOf(item) + 1;
    return used > room;
  });
  return items.slice(0, end < 0 ? items.length : end);
}
