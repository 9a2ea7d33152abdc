/** Server-sent events, read line by line as they come. */
import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { EvenkeelError, type ProblemDocument } from '../protocol/errors.ts';
import type { EventLine } from '../protocol/views.ts';

/** @throws EvenkeelError as the manager says it when it cuts the stream off */
export async function* eventsIn(stream: IncomingMessage): AsyncGenerator<EventLine> {
  let event = 'message';
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    const [, field, value = ''] = /^([a-z]+): ?(.*)$/.exec(text) ?? [];
    if (text === '') event = 'message';
    if (field === 'event') event = value;
    if (field === 'data' && event === 'error') throw refusalIn(value);
    if (field === 'data') yield JSON.parse(value) as EventLine;
  }
}

function refusalIn(data: string): EvenkeelError {
  const { code, detail } = JSON.parse(data) as ProblemDocument;
  return new EvenkeelError(code, detail);
}
