/** A thing of the kernel that one line asks for: how it is looked at, made and undone. One small file a kind. */

/** What root allows by agent.json, by the name of its list there. */
export type ListName = 'sysctls' | 'modules' | 'devices' | 'folders';

export interface Need {
  list: ListName;
  value: string;
}

export interface AskOptions {
  /** What it says when it fails is asked for too. */
  failing?: boolean;
  /** It may take seconds, and is asked only now and then. @throws when it does not answer, instead of an empty text */
  slow?: boolean;
}

/** Reads what is. Answers are kept for as long as nothing is made. */
export interface Look {
  /** What a command says on its outputs; an empty text when it fails or hangs. @throws when it says too much */
  ask(command: readonly string[], options?: AskOptions): Promise<string>;
  /** The text of a file of /proc or /sys without its line end, or its first bytes; null when it cannot be read. */
  read(file: string, bytes?: number): string | null;
  /** The names in a folder of /proc or /sys; none when it is not there. */
  list(folder: string): string[];
  /** What was understood of an answer by this name: thousands of lines look at the same. */
  once<T>(name: string, understand: () => T): T;
}

/** Changes what is. */
export interface Hands {
  /** A folder of root's alone, for mounts that nobody is to see yet; it may not be there yet. */
  aside: string;
  /** @throws with the command's own words when it fails or does not end in time */
  call(command: readonly string[], options?: { timeout?: number }): Promise<void>;
  /** Writes a file of /proc or /sys. */
  write(file: string, text: string): Promise<void>;
  pause(ms: number): Promise<void>;
  warn(message: string): void;
}

export interface Thing {
  /** What it is about, whatever it is to be: one thing of the kernel has one line. */
  id: string;
  needs: readonly Need[];
  /** It depends on another box: what fails may be mended there, and is tried again. */
  waits?: true;
  /**
   * Nobody but this storage or this customer misses it: what fails keeps nothing else from being made and served, is told
   * with its line, and is tried again. Those of customers come last.
   */
  concerns?: 'storage' | 'customer';
  /** What it is about where two lines may mean one thing by two names. */
  place?(look: Look): string;
  /** What it is to be there: two lines about one place that say two things are both refused. */
  wants?: string;
  /** Parts that other lines may ask for as well: `undo` leaves those that one of them still does. */
  shares?: readonly string[];
  /** Kinds of lines that stay for as long as this one cannot be undone: it would do harm without them. */
  relies?: readonly string[];
  /** The paths that root follows to make it; else those of its needs. A link in one of them leads nobody anywhere. */
  walks?: readonly string[];
  /** What the box has to have before any checker is asked, which would blame something else: what is missing, or null. */
  lacks?(look: Look): string | null;
  /** Null while it is so; else what is there instead, in words or nothing. */
  found(look: Look): Promise<string | null>;
  /** What is there before it is made for the first time, for `undo`; null for nothing. */
  former(look: Look): Promise<string | null>;
  /** Whether what an earlier line made has to be made anew, though nobody can see a difference. */
  renews?(earlier: string): boolean;
  /** Does no harm when it is so already; `anew` for what only looks so. */
  make(hands: Hands, look: Look, anew?: boolean): Promise<void>;
  /** Puts back what was there before, without what others share. Does nothing when it is undone already. */
  undo(hands: Hands, look: Look, former: string | null, shared: ReadonlySet<string>): Promise<void>;
}

/** What stands for "it was so before we came", where no more need be known. */
export const THERE = 'there';

/** A former value for what is either there or not. */
export const formerOf = async (found: Promise<string | null>): Promise<string | null> =>
  (await found) === null ? THERE : null;
