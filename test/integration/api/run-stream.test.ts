/** The stream of a run over a real socket: a large one as a whole, at the pace of its reader, and text with any mark in it. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { linesIn } from '../../../cli/sse.ts';
import { createWatching } from '../../../manager/queue/watching.ts';
import type { RunLine, RunView } from '../../../protocol/queue-api.ts';
import { declare, node, startTestApi, type TestApi } from '../../support/api.ts';
import { until } from '../../support/until.ts';

let api: TestApi;
const names = Array.from({ length: 40 }, (_, at) => `w${at + 10}`);
const ledger = randomUUID();
const warned: string[] = [];
const warn = ({ name }: Error) => void warned.push(name);

beforeAll(async () => {
  process.on('warning', warn);
  api = await startTestApi();
  await declare(
    api.store,
    names.map((name, at) => node(name, ['web'], `127.0.1.${at + 1}`)),
  );
});
afterAll(async () => {
  process.off('warning', warn);
  await api.stop();
});

const start = async (on = 'web') =>
  (await api.ask('POST', '/api/v1/runs', { action: 'disk-usage', on })).json<RunView>().run;

const open = (path: string): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const sent = request(`${api.url}/api/v1/${path}`, {
      ...{ ca: api.pki.bundle(), agent: false },
      headers: { authorization: `Bearer ${api.tokens.viewer}` },
    });
    sent.once('response', resolve).once('error', reject).end();
  });

/** What each node has said, by characters, and how its command stands. */
function listen(stream: IncomingMessage) {
  const heard = { said: new Map<string, number>(), states: new Map<string, string>() };
  const end = { error: undefined as unknown, over: false };
  const reading = async () => {
    for await (const line of linesIn<RunLine>(stream)) {
      if (line.type === 'output') {
        expect(line.at).toBe(heard.said.get(line.node) ?? 0);
        heard.said.set(line.node, line.at + line.text.length);
      } else heard.states.set(line.command.node, line.command.state);
    }
  };
  void reading()
    .catch((err: unknown) => {
      end.error = err;
    })
    .finally(() => {
      end.over = true;
    });
  return { heard, end };
}

const SAID = 64 * 1024;
/** Each has said so much as is kept of it. */
function saysAll(run: string): void {
  for (const name of names)
    for (let at = 0; at < SAID; at += 4096)
      api.live.heard(name, { run, number: 1, at, text: 'x'.repeat(4095).concat('\n') });
}
const nodeOf = (line: RunLine) => (line.type === 'output' ? line.node : line.command.node);
const ended = async (name: string, run: string) => {
  await api.queue.pull(name, { ledger, results: [], working: null });
  const result = { run, number: 1, end: 'succeeded', already: false, begun: true, status: 0 } as const;
  const times = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:01Z' };
  const results = [{ ...result, error: null, output: '', omitted: 0, ...times }];
  await api.queue.pull(name, { ledger, results, working: null });
};

it('[5.5] whoever comes to a large run hears all that is kept, though it is more than may wait for a reader', async () => {
  const run = await start();
  saysAll(run);
  const stream = await open(`runs/${run}/stream`);
  const { heard, end } = listen(stream);
  await until('all came', () => end.over || heard.states.size === names.length, 60_000);
  expect(end).toEqual({ error: undefined, over: false });
  expect([...heard.said.values()]).toEqual(names.map(() => SAID));
  expect(warned).toEqual([]);
  stream.destroy();
  for (const name of names) await ended(name, run);
});

const watching = () => createWatching({ live: api.live, queue: api.queue, rows: api.store.queue });

it('[5.5] a slow reader is told one node after the other: how its command stands by now, and before that all it said', async () => {
  const run = await start();
  const told: RunLine[] = [];
  const gates: (() => void)[] = [];
  const stop = watching()(run)({
    lines: (lines) => {
      told.push(...lines);
      return new Promise((resolve) => void gates.push(resolve));
    },
    failed: (error) => expect(error).toBeUndefined(),
  });
  await until('the first was told', () => told.length > 0);
  saysAll(run);
  for (const name of names) await ended(name, run);
  expect(gates).toHaveLength(1);
  const others = new Set(names.filter((name) => !told.some((line) => nodeOf(line) === name)));
  for (let at = 0; at < names.length * 2; at += 1) {
    gates[at]?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const after = told.filter((line) => others.has(nodeOf(line)));
  expect(after.map((line) => (line.type === 'output' ? line.text.length : line.command.state))).toEqual(
    [...others].flatMap(() => [SAID, 'succeeded']),
  );
  expect(gates).toHaveLength(names.length + 1);
  stop();
});

it('[5.5] so many may follow runs at once, and one that has gone makes room', async () => {
  const run = await start('w10');
  const watch = watching();
  const reader = { lines: async () => undefined, failed: () => undefined };
  const stops = Array.from({ length: 200 }, () => watch(run)(reader));
  expect(() => watch(run)).toThrow('200 readers follow runs already');
  stops.pop()?.();
  stops.push(watch(run)(reader));
  for (const stop of stops) stop();
  await ended('w10', run);
});

it('[5.5] marks that end a line for some, in what a program says, end no line of the stream', async () => {
  const run = await start('w10');
  const stream = await open(`runs/${run}/stream`);
  const raw: string[] = [];
  const text = 'one\u2028two\u2029three\n';
  api.live.heard('w10', { run, number: 1, at: 0, text });
  for await (const line of linesIn<RunLine>(stream.on('data', (chunk) => raw.push(String(chunk)))))
    if (line.type === 'output') {
      expect(line.text).toBe(text);
      break;
    }
  expect(raw.join('')).not.toMatch(/[\u2028\u2029]/);
  await ended('w10', run);
});
