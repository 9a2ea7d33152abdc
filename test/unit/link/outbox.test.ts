/** The outbox while no manager is in reach: bounded, and what happened outlives what only stood for a while. */
import { expect, it } from 'vitest';
import { createOutbox, type ReportBody } from '../../../agent/link/outbox.ts';
import type { Report } from '../../../protocol/messages.ts';
import { createManualClock } from '../../support/clock.ts';
import { quiet } from '../../support/courier.ts';

const check = (state: 'up' | 'down'): ReportBody => ({
  type: 'check',
  unit: 'web',
  check: 'http',
  state,
  detail: '',
});
const fight = (path: string): ReportBody => ({ type: 'fight', unit: 'web', path, count: 4 });
const alarm = (subject: string): ReportBody => ({
  type: 'alarm',
  code: 'write-failed',
  subject,
  active: true,
  message: '',
});

it('[2 bad input] what a newer report has overtaken goes first, and what happened once is kept', () => {
  const sent: Report[] = [];
  let connected = false;
  const outbox = createOutbox({
    send: (report) => connected && sent.push(report) > 0,
    session: () => 's',
    clock: createManualClock(),
    log: quiet,
    limits: { reports: 10, underway: 100 },
  });
  outbox.add(fight('a.conf'));
  outbox.add(alarm('role/web'));
  for (let at = 0; at < 1000; at += 1) outbox.add(check(at % 2 === 0 ? 'down' : 'up'));
  outbox.add(fight('b.conf'));
  expect(outbox.counts()).toEqual({ waiting: 10, dropped: 993 });
  connected = true;
  outbox.flush({ again: true });
  expect(sent.filter(({ type }) => type !== 'check')).toMatchObject([
    fight('a.conf'),
    alarm('role/web'),
    fight('b.conf'),
  ]);
  expect(sent.filter(({ type }) => type === 'check').at(-1)).toMatchObject({ state: 'up' });

  for (let at = 0; at < 20; at += 1) outbox.add(fight(`${at}.conf`));
  expect(outbox.counts().waiting).toBe(10);
});

it('[2.7] a report that got no receipt is not sent again after a newer one of the same was kept', async () => {
  const clock = createManualClock();
  const sent: Report[] = [];
  const send = (report: Report) => sent.push(report) > 0;
  const outbox = createOutbox({ send, session: () => 's', clock, log: quiet });
  for (const body of [check('down'), fight('a.conf'), alarm('x'), check('up')]) outbox.add(body);
  outbox.received([sent[3]!.id]);
  expect(outbox.counts()).toEqual({ waiting: 2, dropped: 0 });
  await clock.advance(6_000);
  outbox.flush();
  expect(sent.slice(4)).toMatchObject([fight('a.conf'), alarm('x')]);

  outbox.add(check('down'));
  outbox.add(check('up'));
  outbox.received([sent.at(-2)!.id]);
  await clock.advance(6_000);
  outbox.flush();
  expect(sent.at(-1)).toMatchObject({ state: 'up' });
});
