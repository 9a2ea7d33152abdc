/** Server-sent events as the command line reads them, whoever wrote them and however they are cut. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { linesIn } from '../../cli/sse.ts';

const streamOf = (...chunks: Buffer[]) => Readable.from(chunks, { objectMode: false }) as IncomingMessage;

it('[5.5] a line ends where the manager ends it, also where a text has other marks, and chunks cut it anywhere', async () => {
  const text = 'a\u2028b\u2029c\u0085d\u00fc';
  const whole = Buffer.from(`retry: 2000\r\n\r\n: beat\n\ndata: ${JSON.stringify({ text })}\n\n`);
  const bytes = [...whole].map((byte) => Buffer.from([byte]));
  for (const stream of [streamOf(whole), streamOf(...bytes)]) {
    const lines: unknown[] = [];
    for await (const line of linesIn(stream)) lines.push(line);
    expect(lines).toEqual([{ text }]);
  }
});

it('[2.8] the error that ends a stream is thrown as the manager says it', async () => {
  const problem = { code: 'slow-reader', detail: 'too\u2028much' };
  const stream = streamOf(Buffer.from(`event: error\ndata: ${JSON.stringify(problem)}\n\n`));
  await expect(linesIn(stream).next()).rejects.toMatchObject({
    code: 'slow-reader',
    message: 'too\u2028much',
  });
});
