/** The open commands of every node in memory, each in its order: what the last save has left. */
import type { Command } from '../../common/queue/command.ts';
import { isOpen } from '../../protocol/queue.ts';

export interface Lines {
  /** The first of a node that is not over. */
  head(node: string): Command | undefined;
  /** As they stand now; it goes on changing. */
  of(node: string): readonly Command[];
  find(node: string, run: string): Command | undefined;
  /** Puts a command as it stands now; one that is over leaves. */
  put(command: Command): void;
  nodes(): Iterable<string>;
}

export function createLines(): Lines {
  const lines = new Map<string, Command[]>();
  const of = (node: string) => lines.get(node) ?? [];
  return {
    of,
    head: (node) => of(node)[0],
    find: (node, run) => of(node).find((one) => one.run === run),
    put: (command) => {
      const line = lines.get(command.node) ?? [];
      // Mostly it is the first, or comes last.
      const isLast = (line.at(-1)?.seq ?? 0) < command.seq;
      const at = isLast ? line.length : line.findIndex(({ seq }) => seq >= command.seq);
      const isThere = line[at]?.seq === command.seq;
      line.splice(at, isThere ? 1 : 0, ...(isOpen(command.state) ? [command] : []));
      if (line.length === 0) lines.delete(command.node);
      else lines.set(command.node, line);
    },
    nodes: () => lines.keys(),
  };
}
