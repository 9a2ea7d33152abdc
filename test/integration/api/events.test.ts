/** The event stream over a real socket: lists, server-sent events, resumption, and readers that are too slow. */
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventsIn } from '../../../cli/sse.ts';
import type { AnswerOf } from '../../../protocol/endpoints.ts';
import type { EventLine } from '../../../protocol/views.ts';
import { declare, site, startTestApi, type TestApi } from '../../support/api.ts';
import { problemOf } from '../../support/problem.ts';
import { until } from '../../support/until.ts';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.stop());

const happen = (message: string, type = 'check.down', node = 'n1', data?: object) =>
  api.events.emit({
    ...{ type, severity: 'error', node, subject: 'web-nginx/http', message },
    ...(data === undefined ? {} : { data }),
  });

const list = async (query = ''): Promise<AnswerOf<'events'>> =>
  (await api.ask('GET', `/api/v1/events${query}`)).json();

function open(query: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(`${api.url}/api/v1/events?follow=true${query}`, {
      ...{ ca: api.pki.bundle(), agent: false },
      headers: { authorization: `Bearer ${api.tokens.viewer}`, ...headers },
    });
    sent.once('response', resolve).once('error', reject).end();
  });
}

/** Everything that a stream says, as it comes. */
function listen(stream: IncomingMessage) {
  const lines: EventLine[] = [];
  const end = { error: undefined as unknown, over: false };
  const reading = async () => {
    for await (const line of eventsIn(stream)) lines.push(line);
  };
  void reading()
    .catch((err: unknown) => {
      end.error = err;
    })
    .finally(() => {
      end.over = true;
    });
  return { lines, end };
}

it('[2.8] the journal and what happened are one list, filtered by node and by family of types', async () => {
  await declare(api.store, [site('listed.example')]);
  happen('the port is closed');
  await until('it is kept', async () => (await list()).items.at(-1)?.message === 'the port is closed');
  const { items } = await list();
  expect(items.map(({ type }) => type).slice(-2)).toEqual(['journal.put', 'check.down']);
  expect((await list('?type=check')).items.map(({ type }) => type)).toEqual(['check.down']);
  expect((await list('?node=n1')).items.map(({ subject }) => subject)).toEqual(['web-nginx/http']);
  expect((await list('?type=chec')).items).toEqual([]);
  expect((await list('?limit=1')).items).toHaveLength(1);
});

it('[2.8] a follower hears the newest lines and then each one as it comes, and resumes after its last without loss', async () => {
  const stream = await open('&limit=2');
  expect(stream.headers['content-type']).toBe('text/event-stream');
  const { lines } = listen(stream);
  await until('the newest are there', () => lines.length === 2);
  await declare(api.store, [site('follow-1.example'), site('follow-2.example')]);
  happen('followed');
  await until('all came', () => lines.length === 5);
  expect(lines.slice(2).map(({ subject }) => subject)).toEqual([
    'Site/follow-1.example',
    'Site/follow-2.example',
    'web-nginx/http',
  ]);
  stream.destroy();

  await declare(api.store, [site('missed.example')]);
  const again = listen(await open('', { 'last-event-id': lines[2]?.id ?? '' }));
  await until('what was missed came', () => again.lines.length === 3);
  expect(again.lines.map(({ subject }) => subject)).toEqual([
    'Site/follow-2.example',
    'web-nginx/http',
    'Site/missed.example',
  ]);
  expect(again.lines.slice(0, 2).map(({ id }) => id)).toEqual(lines.slice(3).map(({ id }) => id));
});

it('[2.8] an id that is none is refused before the stream begins', async () => {
  const answer = await api.ask('GET', '/api/v1/events?follow=true&since=yesterday');
  expect(problemOf(answer).code).toBe('bad-request');
});

it('[2.8] a reader that does not read is cut off with a coded event, and the others hear everything', async () => {
  const slow = await open('&limit=1');
  slow.pause();
  const quick = listen(await open('&limit=1'));
  const many = 900;
  const long = { text: 'x'.repeat(30 * 1024) };
  const numbersOf = () => quick.lines.filter(({ type }) => type === 'long');
  for (let at = 0; at < many; at += 1) {
    happen(`${at}`, 'long', 'n1', long);
    if (at % 50 === 49) await until('it came', () => numbersOf().length === at + 1);
  }
  expect(numbersOf().map(({ message }) => Number.parseInt(message, 10))).toEqual(
    Array.from({ length: many }, (_, at) => at),
  );
  slow.resume();
  const late = listen(slow);
  await until('the slow one ends', () => late.end.over);
  expect(late.end.error).toMatchObject({ code: 'slow-reader' });
  expect(late.lines.length).toBeLessThan(many);
});

it('[2.8] a stream ends within a second when its token is revoked, read or not, also where a new one has its name', async () => {
  const made = await api.ask('POST', '/api/v1/tokens', { name: 'watcher', role: 'viewer' });
  const { token } = made.json<{ token: string }>();
  const headers = { authorization: `Bearer ${token}` };
  const [read, unread] = [await open('&limit=1', headers), await open('&limit=1', headers)];
  const closed = new Promise<void>((resolve) => unread.once('close', () => resolve()));
  unread.pause();
  const { lines, end } = listen(read);
  const others = listen(await open('&limit=1'));
  await until('both hear', () => lines.length > 0 && others.lines.length > 0);
  const sockets = await new Promise<number>((resolve) =>
    api.app.server.getConnections((_, count) => resolve(count)),
  );
  await api.ask('DELETE', '/api/v1/tokens/watcher');
  await api.ask('POST', '/api/v1/tokens', { name: 'watcher', role: 'viewer' });
  const revoked = performance.now();
  await until('the stream is over', () => end.over);
  // Long before the next beat would have told it.
  expect(performance.now() - revoked).toBeLessThan(5000);
  expect(end.error).toMatchObject({ code: 'unauthenticated' });
  const heard = lines.length;
  happen('said after the revocation');
  await until('others hear it', () => others.lines.at(-1)?.message === 'said after the revocation');
  expect(lines).toHaveLength(heard);
  expect(others.end.over).toBe(false);
  await until('both connections are gone', async () => {
    const now = await new Promise<number>((resolve) =>
      api.app.server.getConnections((_, count) => resolve(count)),
    );
    return now <= sockets - 2;
  });
  expect(performance.now() - revoked).toBeLessThan(6000);
  unread.destroy();
  await closed;
});

it('[2.8] streams end when the API closes, and the API closes at once', async () => {
  const other = await startTestApi();
  const stream = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request(`${other.url}/api/v1/events?follow=true`, {
      ...{ ca: other.pki.bundle(), agent: false },
      headers: { authorization: `Bearer ${other.tokens.viewer}` },
    });
    sent.once('response', resolve).once('error', reject).end();
  });
  const { end } = listen(stream);
  const started = performance.now();
  await other.stop();
  expect(performance.now() - started).toBeLessThan(5000);
  await until('the stream is over', () => end.over);
});
