/** Calendar: what a cron line and a time zone mean: which is the next moment, and what is wrong with them. Pure. */
import { createTask, parse, validateDetailed } from 'node-cron';
import { meantHint } from '../../protocol/nearest.ts';

export interface Wrong {
  message: string;
  fix: string;
}

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** No clock is put on or back further than this. */
const SHIFT = 3 * 60 * MINUTE;
/** What fits no day of so many fits none that anybody waits for. */
const HORIZON = 10 * 366 * DAY;

const FIX =
  'use five fields: minute 0-59, hour 0-23, day of the month 1-31 or L, month 1-12, day of the week 0-7; such as 30 3 * * 0';
const fields: Record<string, string> = {
  ...{ second: 'second', minute: 'minute', hour: 'hour', month: 'month' },
  ...{ dayOfMonth: 'day of the month', dayOfWeek: 'day of the week' },
};
/** node-cron writes every range out before it looks whether the numbers are in it: 1-999999999 would be all of them. */
const WORD =
  /^(?:\d{1,2}[LW]?|LW?|JAN(?:UARY)?|FEB(?:RUARY)?|MAR(?:CH)?|APR(?:IL)?|MAY|JUNE?|JULY?|AUG(?:UST)?|SEP(?:TEMBER)?|OCT(?:OBER)?|NOV(?:EMBER)?|DEC(?:EMBER)?|(?:SUN|MON|TUE(?:SDAY)?|WED(?:NESDAY)?|THU(?:RSDAY)?|FRI|SAT(?:URDAY)?)(?:DAY)?L?)$/i;

/** What is wrong with a line of node-cron's syntax; undefined for one that has a next moment. */
export function lineWrong(line: string): Wrong | undefined {
  const parts = line.trim().split(/\s+/);
  const isName = line.startsWith('@');
  if (!isName && parts.length !== 5)
    return { message: `has ${parts.length} fields`, fix: `${FIX}; there are no seconds` };
  const stranger = isName ? undefined : line.match(/[0-9a-z]+/gi)?.find((word) => !WORD.test(word));
  if (stranger !== undefined)
    return { message: `${stranger} is no number of two digits, and no name of a month or a day`, fix: FIX };
  const { errors } = validateDetailed(line);
  const [first] = errors;
  if (first !== undefined) {
    const field = fields[first.field];
    const isDate = first.message.includes('impossible');
    return {
      message: field === undefined || isDate ? first.message : `${first.value} is no ${field}`,
      fix: isName ? 'use @hourly, @daily, @weekly, @monthly, @yearly, or five fields' : FIX,
    };
  }
  return calendarOf(line, 'UTC').next(Date.UTC(2026, 0, 1)) === null
    ? { message: 'fits no day of ten years', fix: 'both the day of the month and that of the week must fit' }
    : undefined;
}

/** What is wrong with a name of a time zone. */
export function zoneWrong(zone: string): Wrong | undefined {
  try {
    if (/^[A-Za-z]/.test(zone)) return void formatOf(zone);
  } catch (err) {
    if (!(err instanceof RangeError)) throw err;
  }
  return {
    message: `there is no time zone ${zone}`,
    fix: `${meantHint(zone, Intl.supportedValuesOf('timeZone'))}use a name such as UTC or Europe/Berlin`,
  };
}

export interface Calendar {
  /** The first moment after this one; null where there is none in ten years. */
  next(from: number): number | null;
}

/**
 * Of a line that `lineWrong` has nothing against. Where clocks are put on or back, a time of day that the line names is
 * meant once: one that the clocks jump over is as much later as they jump, and one that they show twice is the first. A
 * line that names every hour means each hour that passes.
 */
export function calendarOf(line: string, timeZone: string): Calendar {
  const { hour, minute, month } = parse(line);
  const isHourly = new Set(hour).size === 24;
  const times = [...new Set(hour)]
    .flatMap((one) => [...new Set(minute)].map((two) => (one * 60 + two) * MINUTE))
    .sort((a, b) => a - b);
  const [first = 0] = times;
  // Never started: it is asked which days fit. It knows the time of the process alone, so the search is ours.
  const task = createTask(line, () => undefined, { timezone: 'UTC' });
  void task.destroy();
  const fits = (day: number) =>
    month.includes(new Date(day).getUTCMonth() + 1) && task.match(new Date(day + first));
  return {
    next: (from) => {
      const offsetAt = offsetsOf(timeZone);
      const momentsOf = (wall: number): number[] => {
        const [before, after] = [offsetAt(wall - DAY), offsetAt(wall + DAY)];
        if (before === after) return [wall - before];
        const shown = [wall - before, wall - after].filter((at) => at + offsetAt(at) === wall);
        if (isHourly) return shown;
        return [shown.length === 0 ? wall - before : Math.min(...shown)];
      };
      const begin = from + offsetAt(from) - SHIFT;
      let found = Number.POSITIVE_INFINITY;
      let enough = begin + HORIZON;
      for (const wall of wallsFrom(begin, { times, fits, until: begin + HORIZON })) {
        if (wall > enough) break;
        for (const at of momentsOf(wall)) {
          if (at <= from || at >= found) continue;
          found = at;
          // One that is written later may come before it, by what clocks jump.
          enough = Math.min(enough, wall + SHIFT);
        }
      }
      return found === Number.POSITIVE_INFINITY ? null : found;
    },
  };
}

/** What a clock on the wall shows when the line fits, as if it was in UTC, in order. */
function* wallsFrom(
  begin: number,
  { times, fits, until }: { times: readonly number[]; fits: (day: number) => boolean; until: number },
): Iterable<number> {
  for (let day = Math.floor(begin / DAY) * DAY; day < until; day += DAY)
    if (fits(day)) yield* times.map((time) => day + time).filter((wall) => wall >= begin);
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** @throws RangeError for what is no time zone */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const numeric = 'numeric';
  const made = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23', year: numeric, month: numeric, day: numeric },
    ...{ hour: numeric, minute: numeric, second: numeric },
  });
  formats.set(timeZone, made);
  return made;
}

/** By how much the clocks of a zone are ahead of UTC at a moment; asked of Intl once for each quarter of an hour. */
function offsetsOf(timeZone: string): (at: number) => number {
  const format = formatOf(timeZone);
  const known = new Map<number, number>();
  const ask = (at: number): number => {
    const parts = Object.fromEntries(
      format.formatToParts(at).map(({ type, value }) => [type, Number(value)]),
    );
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - at;
  };
  return (at) => {
    const quarter = Math.floor(at / (15 * MINUTE));
    const offset = known.get(quarter) ?? ask(quarter * 15 * MINUTE);
    known.set(quarter, offset);
    return offset;
  };
}
