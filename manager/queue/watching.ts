/** Watching a run: each reader is told at its own pace, and what is kept for it is who has news, not what was said. */
import type { Command } from '../../common/queue/command.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { RunLine } from '../../protocol/queue-api.ts';
import type { QueueRows } from '../store/queue.ts';
import type { Live } from './live.ts';
import type { Queue } from './queue.ts';
import { commandView } from './views.ts';

export interface Reader {
  /** Resolves when it may be told more. */
  lines(lines: readonly RunLine[]): Promise<void>;
  failed(error: EvenkeelError): void;
}

/** Begins to tell; returns its undo. */
export type Follow = (reader: Reader) => () => void;

interface Given {
  live: Pick<Live, 'follow' | 'tail'>;
  queue: Pick<Queue, 'onChanged' | 'line'>;
  rows: Pick<QueueRows, 'ofRun'>;
}

const MOST_READERS = 200;
const PAGE = 500;

/** @returns of a run, how it is followed. @throws EvenkeelError busy: too many follow runs already */
export function createWatching(given: Given): (run: string) => Follow {
  let readers = 0;
  return (run) => {
    if (readers >= MOST_READERS)
      throw new EvenkeelError('busy', `${MOST_READERS} readers follow runs already`);
    return (reader) => {
      readers += 1;
      const stop = follow(run, reader, given);
      return () => {
        readers -= 1;
        stop();
      };
    };
  };
}

function follow(run: string, reader: Reader, { live, queue, rows }: Given): () => void {
  const news = createNews();
  const saidOf = createSaid(run, live);
  const changed = new Set<string>();
  let [isOver, after] = [false, 0 as number | null];
  /** What stands in the queue is newer than what was read, and what has changed since is told without it. */
  const readPage = async () => {
    const page = await rows.ofRun(run, { after: after ?? 0, limit: PAGE });
    after = page.length < PAGE ? null : (page.at(-1)?.seq ?? null);
    for (const row of page.filter(({ node }) => !changed.has(node)))
      news.hear(row.node, queue.line(row.node).find((one) => one.run === run) ?? row);
  };
  const tellAll = async () => {
    while (!isOver) {
      const next = news.take();
      // What was said first: whoever sees that a command is over has seen all of it.
      if (next) await reader.lines([...saidOf(next.node), ...next.stands]);
      else if (after !== null) await readPage();
      else await news.come();
    }
  };
  const undo = [
    live.follow(run, ({ node }) => news.hear(node)),
    queue.onChanged((command) => {
      if (command.run !== run) return;
      changed.add(command.node);
      news.hear(command.node, command);
    }),
  ];
  tellAll().catch((err: unknown) =>
    reader.failed(new EvenkeelError('internal', 'the run could not be read', { cause: err })),
  );
  return () => {
    isOver = true;
    for (const one of undo) one();
    news.wake();
  };
}

/** Nodes of which something is to be told, each once, and of its command only how it stands now. */
function createNews() {
  const fresh = new Map<string, Command | undefined>();
  let wake = (): void => undefined;
  return {
    hear: (node: string, command?: Command) => {
      fresh.set(node, command ?? fresh.get(node));
      wake();
    },
    take: (): { node: string; stands: RunLine[] } | undefined => {
      const [next] = fresh;
      if (next === undefined) return undefined;
      const [node, command] = next;
      fresh.delete(node);
      return { node, stands: command ? [{ type: 'command', command: commandView(command) }] : [] };
    },
    come: () =>
      new Promise<void>((resolve) => {
        wake = resolve;
      }),
    wake: () => wake(),
  };
}

/** Of what a node has said, what this reader has not had. Where something is not kept any more the `at` shows a gap, if need be before no text. */
function createSaid(run: string, live: Pick<Live, 'tail'>) {
  const had = new Map<string, { number: number; to: number }>();
  return (node: string): RunLine[] => {
    const tail = live.tail(run, node);
    if (tail === undefined) return [];
    const { number, at, text } = tail;
    const before = had.get(node);
    const told = before?.number === number ? before.to : 0;
    const from = Math.max(at, told);
    had.set(node, { number, to: at + text.length });
    // Nothing that is new, and nothing that is missing.
    if (told >= at + text.length) return [];
    return [{ type: 'output', node, number, at: from, text: text.slice(from - at) }];
  };
}
