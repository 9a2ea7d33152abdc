/** What nodes said, handed to the manager: a bounded number at a time, and receipts only for what is kept. */
import type { Clock } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Answer, Beat, Receipt, Report, Status, Traffic } from '../../protocol/messages.ts';
import type { LiveOutput } from '../../protocol/queue.ts';
import type { Accepted } from './authorize.ts';

export interface Handlers {
  status(node: string, message: Status): void;
  beat(node: string, message: Beat): void;
  /** Resolves when the report is kept; only then its receipt leaves. */
  report(node: string, message: Report): Promise<void>;
  answer(node: string, message: Answer): void;
  traffic(node: string, message: Traffic): void;
  /** What a command says while it runs; each node says a few pieces a second at most. */
  output(node: string, message: LiveOutput): void;
  /** The node's connection is gone, whatever the reason. */
  gone(node: string): void;
}

export interface Inbound {
  /** Resolves when the message is dealt with; the node's connection is read on only then. Never rejects. */
  take(accepted: Accepted): Promise<void>;
  /** Reports turned away because too many waited; their nodes send them again. */
  turnedAway(): number;
}

interface InboundOptions {
  handlers: Handlers;
  receipt: (node: string, receipt: Receipt) => void;
  clock: Clock;
  log: Log;
  /** Reports in the handler at one time, and waiting for it. */
  limits?: { running: number; waiting: number };
}

/** Shorter than the keepalive of a node, whose connection is not read meanwhile. */
const PATIENCE_MS = 8_000;
const GATHER_MS = 10;
const MOST_IDS = 500;

export function createInbound({
  handlers,
  receipt,
  clock,
  log,
  limits = { running: 64, waiting: 10_000 },
}: InboundOptions): Inbound {
  const queue: (() => void)[] = [];
  const receipts = createReceipts(receipt, clock);
  let running = 0;
  let turnedAway = 0;

  const enter = async () => {
    if (running < limits.running) running += 1;
    else await new Promise<void>((resolve) => queue.push(resolve));
  };
  // The slot is handed to the one who waits longest, so `running` stays as it is.
  const leave = () => {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  };
  const takeReport = async (node: string, report: Report) => {
    if (queue.length >= limits.waiting) {
      turnedAway += 1;
      return;
    }
    await enter();
    try {
      await within(handlers.report(node, report), PATIENCE_MS, clock);
      receipts.add(node, report.id);
    } catch (err) {
      log.error({ node, report: report.id, err: messageOf(err) }, 'report was not kept');
    } finally {
      leave();
    }
  };
  const tell = ({ name, node, message }: Accepted) => {
    try {
      if (name === 'status') handlers.status(node, message as Status);
      if (name === 'beat') handlers.beat(node, message as Beat);
      if (name === 'traffic') handlers.traffic(node, message as Traffic);
      if (name === 'output') handlers.output(node, message as LiveOutput);
      if (name === 'answer') handlers.answer(node, message as Answer);
    } catch (err) {
      log.error({ node, topic: name, err: messageOf(err) }, 'message was not taken');
    }
  };
  return {
    take: async (accepted) => {
      if (accepted.name === 'report') await takeReport(accepted.node, accepted.message as Report);
      else tell(accepted);
    },
    turnedAway: () => turnedAway,
  };
}

/** Gathers the receipts of a moment into one message to each node. */
function createReceipts(send: InboundOptions['receipt'], clock: Clock) {
  const pending = new Map<string, string[]>();
  const flush = (node: string) => {
    const ids = pending.get(node) ?? [];
    pending.delete(node);
    if (ids.length > 0) send(node, { ids });
  };
  return {
    add: (node: string, id: string) => {
      const ids = pending.get(node) ?? [];
      ids.push(id);
      if (ids.length === 1) clock.after(GATHER_MS, () => flush(node));
      pending.set(node, ids);
      if (ids.length >= MOST_IDS) flush(node);
    },
  };
}
