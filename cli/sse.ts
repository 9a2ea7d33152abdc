/** Server-sent events, read line by line as they come. */
import type { IncomingMessage } from 'node:http';
import { EvenkeelError, type ProblemDocument } from '../protocol/errors.ts';
import type { EventLine } from '../protocol/views.ts';

export const eventsIn = (stream: IncomingMessage): AsyncGenerator<EventLine> => linesIn(stream);

export async function* linesIn<Line>(stream: IncomingMessage): AsyncGenerator<Line> {
  for await (const line of beatsAndLinesIn<Line>(stream)) if (line !== null) yield line;
}

/** Null for each beat, with which the manager shows that it is there. @throws EvenkeelError as it says it when it cuts the stream off */
export async function* beatsAndLinesIn<Line>(stream: IncomingMessage): AsyncGenerator<Line | null> {
  let event = 'message';
  for await (const text of textsIn(stream)) {
    const [, field, value = ''] = /^([a-z]+): ?(.*)$/s.exec(text) ?? [];
    if (text === '') event = 'message';
    if (text.startsWith(':')) yield null;
    if (field === 'event') event = value;
    if (field === 'data' && event === 'error') throw refusalIn(value);
    if (field === 'data') yield JSON.parse(value) as Line;
  }
}

/** Split where the manager ends a line and nowhere else: readline also splits at marks that a text may have in it. */
async function* textsIn(stream: IncomingMessage): AsyncGenerator<string> {
  stream.setEncoding('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line;
  }
}

function refusalIn(data: string): EvenkeelError {
  const { code, detail } = JSON.parse(data) as ProblemDocument;
  return new EvenkeelError(code, detail);
}
