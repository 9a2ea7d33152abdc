/** Questions of the manager to this node: a few at a time, each with an end, and always an answer. */
import type { Clock } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Answer, Ask } from '../../protocol/messages.ts';

export interface AsksOptions {
  handle: (ask: Ask) => Promise<Answer>;
  send: (answer: Answer) => void;
  clock: Clock;
}

const MOST_AT_ONCE = 4;
const PATIENCE_MS = 20_000;

export function createAsks({ handle, send, clock }: AsksOptions): (ask: Ask) => Promise<void> {
  let running = 0;
  return async (ask) => {
    const refuse = (error: string): Answer => ({ id: ask.id, what: ask.what, units: [], error });
    if (running >= MOST_AT_ONCE) return send(refuse('too many questions at once'));
    running += 1;
    const answer = await within(handle(ask), PATIENCE_MS, clock).catch((err: unknown) =>
      refuse(messageOf(err)),
    );
    running -= 1;
    send(answer);
  };
}
