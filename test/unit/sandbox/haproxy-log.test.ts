/** The reading of HAProxy's log lines, on which the verdict about every failed request rests. */
import { describe, expect, it } from 'vitest';
import { parseLine } from '../../support/haproxy-log.ts';

const head = '<134>Nov 21 10:00:00 haproxy[123]: 127.0.0.1:41234 [21/Nov/2026:10:00:00.123]';

describe('[2.7] a line of the balancer about a request of the load', () => {
  it('names the server, how it ended and how often it was tried again', () => {
    const text = `${head} web web/n2 0/0/0/1/1 200 340 - - ---- 12/12/3/1/0 0/0 "GET /?load=17 HTTP/1.1"`;
    expect(parseLine(text)).toEqual({ id: 17, server: 'n2', status: 200, ended: '--', retries: 0, text });
  });

  it('is understood when the server died under the request, and when it was sent elsewhere', () => {
    const died = `${head} web web/n1 0/0/1/-1/3 502 209 - - SH-- 9/9/3/1/0 0/0 "GET /?load=4 HTTP/1.1"`;
    expect(parseLine(died)).toMatchObject({ id: 4, server: 'n1', status: 502, ended: 'SH', retries: 0 });
    const moved = `${head} web web/n3 0/0/2/1/5 200 340 - - ---- 9/9/3/1/+1 0/0 "GET /?load=5 HTTP/1.1"`;
    expect(parseLine(moved)).toMatchObject({ id: 5, server: 'n3', retries: 1 });
  });

  it('is passed over when it is about anything else', () => {
    expect(parseLine(`${head} web web/n1 0/0/0/1/1 200 340 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`)).toBe(
      undefined,
    );
    expect(parseLine('<133>Nov 21 10:00:00 haproxy[123]: Server web/n1 is DOWN')).toBe(undefined);
  });
});
