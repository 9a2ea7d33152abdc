/** What tests of schedules are made of: a real store and the API, an agent played by hand, and a clock that is moved. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach } from 'vitest';
import type { RunView } from '../../protocol/queue-api.ts';
import type { ScheduleView } from '../../protocol/schedules-api.ts';
import type { EventLine } from '../../protocol/views.ts';
import { declare, node, startTestApi, type TestApi, type TestApiOptions } from './api.ts';
import { createManualClock, type ManualClock } from './clock.ts';
import { tryResult } from './command.ts';
import { until } from './until.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
const action = (name: string, spec: object = {}) => ({
  ...{ kind: 'Action' as const, name },
  spec: { run: ['true'], idempotent: true, ...spec },
});
export const schedule = (name: string, spec: object = {}) => ({
  ...{ kind: 'Schedule' as const, name },
  spec: { action: 'tidy', on: 'web', cron: '0 3 * * *', ...spec },
});

/** One for each test of a file. */
export function scheduleWorld() {
  const world = {} as { api: TestApi; clock: ManualClock };
  beforeEach(async () => {
    world.clock = createManualClock(Date.UTC(2026, 0, 1));
    world.api = await startTestApi({ clock: world.clock });
    await declare(world.api.store, [
      ...['web1', 'web2'].map((name, at) => node(name, ['web'], `127.0.0.1${at}`)),
      ...[action('tidy'), action('reboot', { access: 'admin' })],
    ]);
  });
  afterEach(() => world.api.stop());

  const as = (role: 'viewer' | 'operator' | 'admin') => ({
    authorization: `Bearer ${world.api.tokens[role]}`,
  });
  const get = async <T>(path: string) =>
    (await world.api.ask('GET', path, undefined, as('viewer'))).json() as T;
  const put = async (one: ReturnType<typeof schedule>, role: 'operator' | 'admin' = 'operator') => {
    const path = `/api/v1/resources/Schedule/${one.name}`;
    return (await world.api.ask('PUT', path, { spec: one.spec }, as(role))).statusCode;
  };
  /** Seconds pass meanwhile. */
  const soon = (what: string, isSo: () => Promise<boolean>) =>
    until(what, async () => {
      await world.clock.advance(1_000);
      return isSo();
    });
  /** Declared, and seen by the manager. */
  const declared = async (name: string, spec: object = {}) => {
    await declare(world.api.store, [schedule(name, spec)]);
    const { cron, timeZone, suspended } = world.api.store.view().Schedule.get(name)?.spec ?? {};
    const plan = suspended ? 'suspended' : `${cron} ${timeZone}`;
    await soon('it is looked after', async () => (await world.api.store.schedules.get(name))?.plan === plan);
  };
  const listed = async () => (await get<{ items: ScheduleView[] }>('/api/v1/schedules')).items;
  const begun = async (name: string) =>
    (await get<{ runs: RunView[] }>(`/api/v1/schedules/${name}`)).runs
      .map(({ at }) => at.slice(0, 16))
      .reverse();
  const events = async () => {
    const { items } = await get<{ items: EventLine[] }>('/api/v1/events?limit=1000');
    return items.filter(({ type }) => type.startsWith('schedule.'));
  };
  /** Events are kept behind whoever tells them: so many of them at least. */
  const said = async (count = 1) => {
    await until('it is said', async () => (await events()).length >= count);
    return events();
  };
  const told = async () => (await events()).map(({ type, subject }) => `${type} ${subject}`);
  const upto = async (name: string) => (await world.api.store.schedules.get(name))?.upto ?? '';
  /** Moves the clock to the next moment, and no further before that is dealt with. */
  const due = async (name = 'nightly') => {
    const { next } = (await listed()).find((one) => one.name === name) ?? {};
    if (!next) throw new Error(`${name} has no next moment`);
    await world.clock.advance(Date.parse(next) - world.clock.now());
    await until('what was due is dealt with', async () => (await upto(name)) >= next);
  };
  /** A manager is away for a while, or dies and is back at once. */
  const away = async (ms: number, options: TestApiOptions = {}) => {
    await world.api.end();
    await world.clock.advance(ms);
    world.api = await startTestApi({ ...options, clock: world.clock, again: world.api });
  };
  /** A node does what it is handed. */
  const work = async (name: string) => {
    const ledger = randomUUID();
    const { next } = await world.api.queue.pull(name, { ledger, results: [], working: null });
    if (next === null) throw new Error(`nothing was handed out to ${name}`);
    const results = [tryResult({ run: next.run, number: next.number })];
    await world.api.queue.pull(name, { ledger, results, working: null });
  };
  const workAll = async () => {
    for (const name of ['web1', 'web2']) await work(name);
  };
  return {
    world,
    as,
    get,
    put,
    soon,
    declared,
    listed,
    begun,
    events,
    said,
    told,
    upto,
    due,
    away,
    work,
    workAll,
  };
}
