/** What commands say while they run, for whoever watches: the last of it, bounded, and never waited for; once they have ended, all of it. */
import type { LiveOutput, TryResult } from '../../protocol/queue.ts';

export interface Piece extends LiveOutput {
  node: string;
}

export interface Live {
  heard(node: string, message: LiveOutput): void;
  /** A try has ended: what its pieces have not told by now is told, and no piece comes after it. */
  ended(node: string, result: Pick<TryResult, 'run' | 'number' | 'output' | 'omitted'>): void;
  /** What was kept of the run so far, then all that comes; returns its undo. */
  follow(run: string, listener: (piece: Piece) => void): () => void;
  /** What is kept of a node: of a long one its end, of one that has said nothing for long only how far that was. */
  tail(run: string, node: string): Piece | undefined;
}

/** So much of one command, and so many commands. */
const TAIL = 64 * 1024;
const MOST_TAILS = 500;
/** Of so many more it is known how far they have come: whoever was not told sees that something is missing. */
const MOST_MARKS = 10_000;

/** Takes out the oldest when there is one too many. */
function tooMany(kept: Map<string, Piece>, most: number): Piece | undefined {
  const [first] = kept;
  if (kept.size <= most || first === undefined) return undefined;
  kept.delete(first[0]);
  return first[1];
}

const endOf = ({ at, text }: Pick<Piece, 'at' | 'text'>): number => at + text.length;

/** @param isOpen whether a node has a command of a run: what it says of any other is of nobody's making but its own */
export function createLive(isOpen: (run: string, node: string) => boolean): Live {
  const tails = new Map<string, Piece>();
  const marks = new Map<string, Piece>();
  const listeners = new Map<string, Set<(piece: Piece) => void>>();
  const keyOf = ({ run, node }: Pick<Piece, 'run' | 'node'>) => `${run}/${node}`;
  const tailOf = (of: Pick<Piece, 'run' | 'node'>) => tails.get(keyOf(of)) ?? marks.get(keyOf(of));
  /** How far the newest try has been told; null for one that is older than it. */
  const toldOf = (piece: Pick<Piece, 'run' | 'node' | 'number'>): number | null => {
    const tail = tailOf(piece);
    if (tail === undefined || tail.number < piece.number) return 0;
    return tail.number === piece.number ? endOf(tail) : null;
  };
  const keep = (piece: Piece) => {
    const key = keyOf(piece);
    const before = tailOf(piece);
    // What is kept has no gap: what was said before one is told to nobody who comes later.
    const goesOn = before?.number === piece.number && endOf(before) === piece.at;
    const text = (goesOn ? before.text + piece.text : piece.text).slice(-TAIL);
    for (const kept of [tails, marks]) kept.delete(key);
    tails.set(key, { ...piece, at: endOf(piece) - text.length, text });
    const oldest = tooMany(tails, MOST_TAILS);
    if (oldest) marks.set(keyOf(oldest), { ...oldest, at: endOf(oldest), text: '' });
    tooMany(marks, MOST_MARKS);
  };
  const tell = (piece: Piece) => {
    const told = toldOf(piece);
    if (told === null || endOf(piece) <= told) return;
    const at = Math.max(piece.at, told);
    const fresh = { ...piece, at, text: piece.text.slice(at - piece.at) };
    keep(fresh);
    for (const listener of listeners.get(piece.run) ?? []) listener(fresh);
  };
  return {
    heard: (node, { run, number, at, text }) => {
      if (isOpen(run, node)) tell({ node, run, number, at, text });
    },
    ended: (node, { run, number, output, omitted }) => {
      // The beginning and the end of it are kept, each a half, where something was left out.
      const half = omitted === 0 ? output.length : output.length / 2;
      tell({ node, run, number, at: 0, text: output.slice(0, half) });
      tell({ node, run, number, at: half + omitted, text: output.slice(half) });
    },
    tail: (run, node) => tailOf({ run, node }),
    follow: (run, listener) => {
      for (const kept of [marks, tails])
        for (const piece of kept.values()) if (piece.run === run) listener(piece);
      const own = listeners.get(run) ?? new Set();
      listeners.set(run, own.add(listener));
      return () => {
        own.delete(listener);
        if (own.size === 0) listeners.delete(run);
      };
    },
  };
}
