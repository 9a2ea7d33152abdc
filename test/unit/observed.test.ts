/** What the manager remembers of nodes: sessions, silence, transitions, and the view that people get. */
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Head, MOST } from '../../manager/health/memory.ts';
import { createObserved, type Observed } from '../../manager/health/observed.ts';
import { STANDING } from '../../manager/health/told.ts';
import { nodeView } from '../../manager/health/view.ts';
import type { Report, Status, UnitReport } from '../../protocol/messages.ts';
import { parseResource, type ResourceOf } from '../../protocol/resource.ts';
import { createManualClock, type ManualClock } from '../support/clock.ts';
import { opened } from './store/opened.ts';

let clock: ManualClock;
let observed: Observed;
let heads: Head[];
let events: string[];
let changes: string[];
let ids: number;

beforeEach(() => {
  clock = createManualClock();
  heads = [
    { scope: 'cluster', epoch: 1, rev: 5 },
    { scope: 'role/web', epoch: 1, rev: 7 },
    { scope: 'node/a', epoch: 1, rev: 3 },
  ];
  events = [];
  changes = [];
  ids = 0;
  observed = createObserved({
    clock,
    emit: ({ type, node, severity }) => events.push(`${severity} ${type} ${node}`),
    headsOf: () => heads,
  });
  observed.onChange((node) => changes.push(node));
  observed.start();
});

const status = (session: string, state: Status['state'] = 'online', rev = 7): Status => ({
  session,
  state,
  version: '1',
  protocol: 1,
  scopes: {
    cluster: { epoch: 1, rev: 5, digest: '0'.repeat(64) },
    'role/web': { epoch: 1, rev, digest: '0'.repeat(64) },
    'node/a': { epoch: 1, rev: 3, digest: '0'.repeat(64) },
  },
});
let beats = 0;
const beat = (s: string, r = [5, 7, 3]) => ({ s, n: ++beats, e: 1, r, ok: true });
const base = (session: string) => ({ id: `r${++ids}`, session, at: '2026-01-01T00:00:00Z' });
const check = (session: string, state: 'up' | 'down' | 'unknown'): Report => ({
  ...base(session),
  type: 'check',
  unit: 'web-nginx',
  check: 'http',
  state,
  detail: 'said so',
});
const unit = (session: string, more: Partial<UnitReport> = {}): UnitReport => ({
  ...base(session),
  type: 'unit',
  unit: 'web-nginx',
  scopes: {},
  digest: 'd1',
  result: 'changed',
  held: [],
  timing: {},
  diffs: [],
  ...more,
});
const checkState = () => observed.of('a')?.checks.get('web-nginx/http')?.state;

describe('[2.7] sessions', () => {
  it('the will of an old session that arrives after a new one began changes nothing', () => {
    observed.status('a', status('one'));
    observed.status('a', status('two'));
    observed.status('a', status('one', 'offline'));
    expect(observed.of('a')?.fresh).toBe(true);
    observed.status('a', status('two', 'offline'));
    expect(observed.of('a')?.fresh).toBe(false);
    expect(events).toEqual(['info node.online a', 'info node.online a', 'warning node.offline a']);
  });

  it('a beat or a check of an old session changes nothing', async () => {
    observed.status('a', status('one'));
    observed.report('a', check('one', 'up'));
    observed.status('a', status('two'));
    expect(checkState()).toBeUndefined();
    observed.report('a', check('one', 'down'));
    expect(checkState()).toBeUndefined();
    await clock.advance(10_000);
    observed.beat('a', beat('one'));
    expect(observed.of('a')?.fresh).toBe(false);
    expect(events.filter((line) => line.includes('check'))).toEqual([]);
  });

  it('a beat after the will of its own session does not bring the node back', () => {
    observed.status('a', status('one'));
    observed.status('a', status('one', 'offline'));
    observed.beat('a', beat('one'));
    expect(observed.of('a')?.fresh).toBe(false);
  });

  it('how a unit ended stays known in a new session, and an old report does not override a new one', () => {
    observed.status('a', status('one'));
    observed.report('a', unit('one', { result: 'failed' }));
    observed.status('a', status('two'));
    expect(observed.of('a')?.units.get('web-nginx')?.result).toBe('failed');
    observed.report('a', unit('two', { result: 'changed' }));
    observed.report('a', unit('one', { result: 'failed' }));
    expect(observed.of('a')?.units.get('web-nginx')?.result).toBe('changed');
  });

  it('that begin behind the heads are catching up until a beat or a unit shows that they are there', () => {
    observed.status('a', status('one', 'online', 6));
    expect(observed.of('a')?.target.map(({ scope }) => scope)).toEqual(['role/web']);
    heads = heads.map((head) => ({ ...head, rev: head.rev + 1 }));
    observed.beat('a', beat('one', [5, 7, 3]));
    expect(observed.of('a')?.target).toEqual([]);
    observed.status('a', status('two', 'online', 6));
    expect(observed.of('a')?.target).toHaveLength(3);
    const there = Object.fromEntries(heads.map(({ scope, epoch, rev }) => [scope, { epoch, rev }]));
    observed.report('a', unit('two', { scopes: there }));
    expect(observed.of('a')?.target).toEqual([]);
  });
});

describe('[2.7] silence', () => {
  it('is noticed once after three beats that did not come, and ends with the next beat', async () => {
    observed.status('a', status('one'));
    for (let i = 0; i < 5; i += 1) {
      await clock.advance(2000);
      observed.beat('a', beat('one'));
    }
    expect(observed.of('a')?.fresh).toBe(true);
    await clock.advance(6500);
    expect(observed.of('a')?.fresh).toBe(true);
    await clock.advance(20_000);
    expect(observed.of('a')?.fresh).toBe(false);
    observed.beat('a', beat('one'));
    expect(observed.of('a')?.fresh).toBe(true);
    expect(events).toEqual(['info node.online a', 'warning node.silent a', 'info node.heard a']);
  });

  it('is not changed by beats that come twice or late', async () => {
    observed.status('a', status('one'));
    const old = beat('one');
    observed.beat('a', old);
    observed.beat('a', beat('one'));
    await clock.advance(8000);
    observed.beat('a', old);
    expect(observed.of('a')?.fresh).toBe(false);
  });
});

describe('[2.7] reports', () => {
  beforeEach(() => observed.status('a', status('one')));
  const happened = () => events.filter((line) => !line.includes('node.online'));

  it('become events on a transition only', () => {
    for (const state of ['unknown', 'up', 'up', 'down', 'down', 'up'] as const)
      observed.report('a', check('one', state));
    expect(happened()).toEqual(['error check.down a', 'info check.up a']);
  });

  it('that arrive twice are taken once', () => {
    const drift: Report = { ...base('one'), type: 'drift', unit: 'web-nginx', action: 'repaired', diffs: [] };
    observed.report('a', drift);
    observed.report('a', drift);
    expect(happened()).toEqual(['warning drift.repaired a']);
  });

  it('of a unit are events when its outcome differs, and not for each quiet sweep', () => {
    for (const result of ['changed', 'unchanged', 'unchanged', 'failed', 'failed', 'changed'] as const)
      observed.report(
        'a',
        unit('one', { result, ...(result === 'failed' ? { error: { code: 'x', message: 'y' } } : {}) }),
      );
    expect(happened()).toEqual(['info unit.changed a', 'error unit.failed a', 'info unit.changed a']);
  });

  it('of alarms stand until they are taken back', () => {
    const alarm = (active: boolean): Report => ({
      ...base('one'),
      type: 'alarm',
      code: 'manager-went-back',
      subject: 'role/web',
      active,
      message: 'older',
    });
    observed.report('a', alarm(true));
    observed.report('a', alarm(true));
    expect(observed.of('a')?.alarms.size).toBe(1);
    observed.report('a', alarm(false));
    observed.report('a', alarm(false));
    expect(observed.of('a')?.alarms.size).toBe(0);
    expect(happened()).toEqual(['error alarm.raised a', 'info alarm.cleared a']);
  });

  it('cannot fill the memory of the manager, whatever a node sends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), (count) => {
        for (let i = 0; i < count; i += 1) {
          observed.report('a', { ...(check('one', 'up') as Report & { type: 'check' }), check: `c${i}` });
          observed.report('a', unit('one', { unit: `u${i}` }));
        }
        const { checks, units, seen } = observed.of('a')!;
        expect(checks.size).toBeLessThanOrEqual(MOST.checks);
        expect(units.size).toBeLessThanOrEqual(MOST.units);
        expect(seen.size).toBeLessThanOrEqual(MOST.seen);
      }),
      { numRuns: 5 },
    );
  });
});

describe('[2.8] what a node says again', () => {
  const held = (session: string) =>
    unit(session, {
      result: 'held',
      held: [{ kind: 'Site', name: 'a.example', serving: 'nothing', reason: 'no such certificate' }],
    });
  const alarm = (session: string, active = true): Report => ({
    ...base(session),
    ...{ type: 'alarm', code: 'snapshot-refused', subject: 'role/web', active, message: 'too few' },
  });
  const sayAll = (session: string) => {
    observed.status('a', status(session));
    for (const say of [held, alarm]) observed.report('a', say(session));
    observed.report('a', check(session, 'down'));
  };
  const happened = () => events.filter((line) => !line.includes('node.'));
  const ALL = ['warning unit.held a', 'error alarm.raised a', 'error check.down a'];

  it('at each new connection is told once', () => {
    for (const session of ['one', 'two', 'three']) sayAll(session);
    expect(happened()).toEqual(ALL);
    observed.report('a', unit('three'));
    observed.report('a', check('three', 'up'));
    observed.report('a', alarm('three', false));
    expect(happened().slice(3)).toEqual(['info unit.changed a', 'info check.up a', 'info alarm.cleared a']);
  });

  it('is told anew when it was over meanwhile', async () => {
    sayAll('one');
    observed.status('a', status('two'));
    // The alarm is not said again: it does not stand any more.
    for (let i = 0; i < 6; i += 1) observed.beat('a', beat('two'));
    observed.report('a', alarm('two'));
    observed.report('a', unit('two'));
    observed.report('a', held('two'));
    expect(happened().slice(3)).toEqual([
      'info alarm.cleared a',
      'error alarm.raised a',
      'info unit.changed a',
      'warning unit.held a',
    ]);
  });

  it('is told once by two runs of the manager, which remember it by the events that they keep', async () => {
    const { store } = await opened();
    const run = async () => {
      observed = createObserved({
        clock,
        emit: (happening) => store.events.append([happening]),
        headsOf: () => heads,
      });
      observed.start(await store.events.latest(STANDING));
    };
    const kept = async () => {
      await store.events.range({ limit: 1 });
      return (await store.events.range({ limit: 100 })).filter(({ type }) => !type.startsWith('node.'));
    };
    await run();
    expect(observed.nodes()).toEqual([]);
    sayAll('one');
    await expect.poll(kept).toHaveLength(3);
    await run();
    // What was told makes no node known that has not spoken.
    expect(observed.nodes()).toEqual([]);
    sayAll('two');
    observed.report('a', unit('two', { result: 'unchanged', digest: 'd2' }));
    await expect
      .poll(async () => (await kept()).map(({ type }) => type))
      .toEqual([...['unit.held', 'alarm.raised', 'check.down'], 'unit.unchanged']);
  });

  it('names the site first, and the reason after it', () => {
    const messages: string[] = [];
    observed = createObserved({ clock, emit: ({ message }) => messages.push(message), headsOf: () => heads });
    observed.report('a', held('one'));
    expect(messages).toEqual([
      'Site/a.example: no such certificate (held back; the rest of web-nginx is live)',
    ]);
  });

  it('of drift names the files as `render` shows them', () => {
    const messages: string[] = [];
    observed = createObserved({ clock, emit: ({ message }) => messages.push(message), headsOf: () => heads });
    const drift = (...paths: string[]): Report => ({
      ...base('one'),
      ...{ type: 'drift', unit: 'web-nginx', action: 'repaired' },
      diffs: paths.map((path) => ({ path, change: 'modified', diff: '' })),
    });
    observed.report('a', drift('sites/180.conf'));
    observed.report('a', drift('1', '2', '3', '4', '5', '6', '7'));
    expect(messages).toEqual([
      'sites/180.conf of web-nginx was not as declared: put back',
      '1, 2, 3, 4, 5 and 2 more of web-nginx were not as declared: put back',
    ]);
  });

  it('of a daemon that died is an event each time, and never because a report is said again', () => {
    observed.status('a', status('one'));
    for (const restarted of ['nginx', 'nginx', undefined])
      observed.report('a', unit('one', { result: 'corrected', ...(restarted ? { restarted } : {}) }));
    expect(happened()).toEqual([
      'warning service.restarted a',
      'info unit.corrected a',
      'warning service.restarted a',
    ]);
  });
});

describe('[2.7] the view of a node', () => {
  const spec = (more: object = {}) => {
    const parsed = parseResource({
      kind: 'Node',
      name: 'a',
      spec: {
        roles: ['web'],
        address: '127.0.0.11',
        identity: { key: '0'.repeat(64), joined: '2026-01-01T00:00:00Z' },
        ...more,
      },
    });
    if (!parsed.ok) throw new Error('the node is not right');
    return (parsed.resource as ResourceOf<'Node'>).spec;
  };
  const view = (more: object = {}) =>
    nodeView({
      name: 'a',
      spec: spec(more),
      memory: observed.of('a'),
      heads,
      units: ['web-nginx'],
      certificateExpires: null,
      now: clock.now(),
    });

  it('is converged only when it is heard, well, at every head, and each of its units has ended well', () => {
    expect(view()).toMatchObject({
      state: 'unreachable',
      converged: false,
      behind: heads.map(({ scope }) => scope),
    });
    observed.status('a', status('one'));
    observed.beat('a', beat('one'));
    expect(view()).toMatchObject({ state: 'active', converged: false, behind: [] });
    observed.report('a', unit('one'));
    expect(view().converged).toBe(true);
    heads = heads.map((head) => (head.scope === 'role/web' ? { ...head, rev: 8 } : head));
    expect(view()).toMatchObject({ converged: false, behind: ['role/web'] });
    observed.beat('a', beat('one', [5, 8, 3]));
    expect(view().converged).toBe(true);
    observed.report('a', unit('one', { result: 'held' }));
    expect(view().converged).toBe(false);
  });

  it('shows what the operator said, for as long as it holds', async () => {
    observed.status('a', status('one'));
    const said = { reason: 'a new disk', owner: 'ada' };
    expect(view({ drain: said })).toMatchObject({ state: 'draining', drain: 'a new disk (ada)' });
    expect(view({ hold: said })).toMatchObject({ state: 'held' });
    expect(view({ hold: said })).not.toHaveProperty('until');
    const until = new Date(clock.now() + 60_000).toISOString();
    expect(view({ drain: { ...said, deadline: until } }).until).toEqual({ drain: until });
    expect(view({ hold: { ...said, until } })).toMatchObject({
      hold: 'a new disk (ada)',
      until: { hold: until },
    });
    expect(view({ maintenance: { ...said, until } })).toMatchObject({ state: 'maintenance' });
    await clock.advance(61_000);
    expect(view({ maintenance: { ...said, until } }).maintenance).toBeUndefined();
    expect(view({ hold: { ...said, until } })).not.toHaveProperty('hold');
    expect(view({ hold: { ...said, until } })).not.toHaveProperty('until');
  });

  it('of one that never joined is pending', () => {
    expect(view({ identity: undefined }).state).toBe('pending');
  });
});
