/** A thing of the kernel that one line asks for: how it is looked at, made and undone. One small file a kind. */

/** What root allows by agent.json, by the name of its list there. */
export type ListName = 'sysctls' | 'modules' | 'devices' | 'folders';

export interface Need {
  list: ListName;
  value: string;
}

/** Reads what is. Answers are kept for as long as nothing is made. */
export interface Look {
  /** What a command says on its outputs; an empty text when it fails, unless what it says then is asked for, or when it hangs. */
  ask(command: readonly string[], options?: { failing: boolean }): Promise<string>;
  /** The text of a file of /proc or /sys without its line end; null when it cannot be read. */
  read(file: string): string | null;
  /** The names in a folder of /proc or /sys; none when it is not there. */
  list(folder: string): string[];
}

/** Changes what is. */
export interface Hands {
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
  /** Null while it is so; else what is there instead, in words or nothing. */
  found(look: Look): Promise<string | null>;
  /** What is there before it is made for the first time, for `undo`; null for nothing. */
  former(look: Look): Promise<string | null>;
  /** Does no harm when it is so already. */
  make(hands: Hands, look: Look): Promise<void>;
  /** Puts back what was there before. Does nothing when it is undone already. */
  undo(hands: Hands, look: Look, former: string | null): Promise<void>;
}

/** What stands for "it was so before we came", where no more need be known. */
export const THERE = 'there';

/** A former value for what is either there or not. */
export const formerOf = async (found: Promise<string | null>): Promise<string | null> =>
  (await found) === null ? THERE : null;
