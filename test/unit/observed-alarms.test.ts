/** Alarms over a restart of the agent: what it does not say again is over, and people are told so. */
import { beforeEach, expect, it } from 'vitest';
import type { Happening } from '../../manager/health/happenings.ts';
import { createObserved, type Observed } from '../../manager/health/observed.ts';
import { createManualClock } from '../support/clock.ts';

let observed: Observed;
let told: Happening[];
let ids: number;
beforeEach(() => {
  told = [];
  ids = 0;
  const emit = (happening: Happening) => told.push(happening);
  observed = createObserved({ clock: createManualClock(), emit, headsOf: () => [] });
});

const begin = (session: string) =>
  observed.status('a', { session, state: 'online', version: '1', protocol: 1, scopes: {} });
const alarm = (session: string, active: boolean) =>
  observed.report('a', {
    ...{ id: `r${++ids}`, session, at: '2026-01-01T00:00:00Z' },
    ...{ type: 'alarm', code: 'snapshot-refused', subject: 'role/web', active, message: 'too few' },
  });
const beat = (s: string, count: number) => {
  for (let n = 0; n < count; n += 1) observed.beat('a', { s, n: ++ids, e: 1, r: [], ok: true });
};
const cleared = () => told.filter(({ type }) => type === 'alarm.cleared');

it('[2.8] an alarm that a node does not say again is told as over, once and with what it was', () => {
  begin('one');
  alarm('one', true);
  begin('two');
  beat('two', 4);
  expect(cleared()).toEqual([]);
  beat('two', 10);
  alarm('two', false);
  expect(cleared()).toEqual([
    {
      ...{ type: 'alarm.cleared', severity: 'info', node: 'a', subject: 'role/web' },
      ...{ message: 'no longer: too few', data: { code: 'snapshot-refused' } },
    },
  ]);
});

it('[2.8] an alarm that is said again is not told as over', () => {
  for (const session of ['one', 'two']) {
    begin(session);
    alarm(session, true);
  }
  beat('two', 10);
  expect(told.map(({ type }) => type)).toEqual(['node.online', 'alarm.raised', 'node.online']);
});
