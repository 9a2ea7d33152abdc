/** What a command says: without its secrets wherever they are cut, the beginning and the end of it, and a little of it at once. */
import type { Clock } from '../../common/clock.ts';
import { OUTPUT_LIMIT } from '../../protocol/queue.ts';

export interface Output {
  hear(from: string, text: string): void;
  /** No more comes. */
  end(): { output: string; omitted: number };
}

export interface OutputOptions {
  /** Values that nobody is shown. */
  secrets: readonly string[];
  /** Hears a piece and how much was said before it: not often, and never much. */
  live: (text: string, at: number) => void;
  clock: Clock;
}

const HIDDEN = '[secret]';
/** Between two pieces. */
const PACE_MS = 200;
/** Of characters that JSON spells with six bytes, as many as the topic carries. */
const PIECE = 4096;

export function createOutput({ secrets, live, clock }: OutputOptions): Output {
  const hiding = new Map<string, Hiding>();
  const kept = createKept(OUTPUT_LIMIT / 2);
  const pace = createPace(live, clock);
  const take = (text: string) => {
    kept.take(text);
    pace.take(text);
  };
  return {
    hear: (from, text) => {
      const own = hiding.get(from) ?? createHiding(secrets);
      hiding.set(from, own);
      take(own.pass(text));
    },
    end: () => {
      for (const own of hiding.values()) take(own.rest());
      pace.end();
      return kept.end();
    },
  };
}

export interface Hiding {
  /** What can be shown by now: the beginning of what may become a secret is kept back. */
  pass(text: string): string;
  rest(): string;
}

export function createHiding(secrets: readonly string[]): Hiding {
  const known = [...new Set(secrets)].filter((secret) => secret !== '');
  // The longest first: one may be the beginning of another.
  known.sort((a, b) => b.length - a.length);
  const longest = known[0]?.length ?? 0;
  const pattern = new RegExp(known.map((one) => one.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  let back = '';

  /** Where the first beginning of a secret begins with which the text ends. */
  const openAt = (text: string): number => {
    for (let at = Math.max(0, text.length - longest + 1); at < text.length; at += 1) {
      const end = text.slice(at);
      if (known.some((secret) => secret.length > end.length && secret.startsWith(end))) return at;
    }
    return text.length;
  };
  return {
    pass: (text) => {
      if (longest === 0) return text;
      const all = back + text;
      let shown = '';
      let [from, open] = [0, openAt(all)];
      for (const match of all.matchAll(pattern)) {
        // What was only begun may be a longer one.
        if (match.index >= open) break;
        shown += all.slice(from, match.index) + HIDDEN;
        from = match.index + match[0].length;
        open = Math.max(open, from);
      }
      back = all.slice(open);
      return shown + all.slice(from, open);
    },
    rest: () => {
      const all = back;
      back = '';
      return longest === 0 ? all : all.replaceAll(pattern, HIDDEN);
    },
  };
}

/** The beginning and the end, each of so many characters. */
function createKept(half: number) {
  let [head, tail, length] = ['', '', 0];
  return {
    take: (text: string) => {
      length += text.length;
      const room = half - head.length;
      head += text.slice(0, room);
      tail = (tail + text.slice(room)).slice(-half);
    },
    end: () => ({ output: head + tail, omitted: length - head.length - tail.length }),
  };
}

/** The first piece at once, the next after a while; of what comes faster than that, the newest. */
function createPace(live: OutputOptions['live'], clock: Clock) {
  let [waiting, length] = ['', 0];
  let undo: (() => void) | null = null;
  const say = () => {
    undo = null;
    if (waiting === '') return;
    const text = waiting;
    waiting = '';
    undo = clock.after(PACE_MS, say);
    live(text, length - text.length);
  };
  return {
    take: (text: string) => {
      length += text.length;
      waiting = (waiting + text).slice(-PIECE);
      if (undo === null) say();
    },
    end: () => {
      undo?.();
      say();
      undo?.();
    },
  };
}
