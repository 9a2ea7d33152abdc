/** The phases of a move: what may follow what, whatever nodes, mover, clocks and the manager itself do meanwhile. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Mount } from '../../../manager/storage/facts.ts';
import { deadlineOf, GRACE_MS, type MoveFacts, nextOf, takenBack } from '../../../manager/storage/phases.ts';
import type { StorageReport } from '../../../protocol/messages.ts';
import { type MovePhase, movePhases, type StorageSpec } from '../../../protocol/resources/storage.ts';

const from = { server: { node: 'files' }, export: '/srv/home' };
const to = { server: '10.0.0.40', export: '/vol/home' };
const START = Date.parse('2026-01-01T00:00:00Z');

const spec = (phase: MovePhase = 'copy'): StorageSpec => ({
  ...(phase === 'switch' ? to : from),
  ...{ mountpoint: '/home', options: {}, quotas: {} },
  move: { id: 'm1', phase, since: new Date(START).toISOString(), by: 'web1', from, to, compareWithin: '30m' },
});
const mount = (node: string, state: Mount['state'] = 'ready'): Mount => ({
  ...{ node, state },
  why: state === 'ready' ? '' : `${node} is ${state}`,
});
const said = (phase: MovePhase, more: Partial<StorageReport> = {}): StorageReport => ({
  ...{
    type: 'storage',
    id: 'r',
    session: 's',
    at: '2026-01-01T00:00:00Z',
    storage: 'home',
    move: 'm1',
    phase,
  },
  ...{ pass: 0, seconds: 0, files: 0, bytes: 0, left: 0 },
  ...more,
});
/** After so many milliseconds a phase is taken back. */
const allowed = (phase: MovePhase) => deadlineOf({ phase, compareWithin: '30m' });
const facts = (more: Partial<MoveFacts> = {}): MoveFacts => ({
  ...{ mounts: [mount('web1'), mount('web2')], unfenced: null, report: undefined, now: START, watched: 0 },
  ...more,
});
const next = (phase: MovePhase, more: Partial<MoveFacts> = {}) => {
  const found = nextOf('home', spec(phase), facts(more));
  if ('waits' in found) return `waits: ${found.waits}`;
  const { move, server } = found.step.spec;
  return `${found.step.tells.type} ${move?.phase ?? 'none'} ${server === to.server ? 'new' : 'old'}`;
};

describe('[3.7] a move of a storage', () => {
  it('goes through copy, freeze, fence, compare, switch and thaw', () => {
    expect(next('copy', { report: said('copy', { pass: 1, seconds: 4 }) })).toBe('storage.phase freeze old');
    expect(next('freeze')).toBe('storage.phase fence old');
    expect(next('fence')).toBe('storage.phase compare old');
    expect(next('compare', { report: said('compare', { identical: true }) })).toBe(
      'storage.phase switch new',
    );
    expect(next('switch')).toBe('storage.moved none new');
  });

  it('copies again while a pass takes long, at most five times, and stops nobody for a node that is away', () => {
    expect(next('copy', { report: said('copy', { pass: 1, seconds: 60 }) })).toBe('waits: web1 copies');
    expect(next('copy', { report: said('copy', { pass: 5, seconds: 60 }) })).toBe('storage.phase freeze old');
    const away = [mount('web1'), mount('web2', 'away')];
    const quick = said('copy', { pass: 2, seconds: 1 });
    expect(next('copy', { report: quick, mounts: away })).toBe('waits: web2: web2 is away');
    const unable = { report: quick, unfenced: 'files, which serves it: storage-nfs-server failed' };
    expect(next('copy', unable)).toBe(`waits: ${unable.unfenced}`);
  });

  it('waits for every node in freeze and switch, save one in maintenance', () => {
    for (const phase of ['freeze', 'switch'] as const) {
      const waiting = [mount('web1'), mount('web2', 'waiting')];
      expect(next(phase, { mounts: waiting })).toBe('waits: web2: web2 is waiting');
      const excused = [mount('web1'), mount('web2', 'excused')];
      expect(next(phase, { mounts: excused })).not.toMatch(/^waits/);
    }
  });

  it('copies for the last time only where the old server takes no writes any more', () => {
    expect(next('fence', { unfenced: 'files: it is not heard' })).toBe('waits: files: it is not heard');
    expect(next('fence', { unfenced: null, mounts: [mount('web1', 'waiting')] })).toMatch(/^waits: web1/);
  });

  it('is taken back when a phase outlasts its deadline, and tells which node it waited for', () => {
    const mounts = [mount('web1'), mount('web2', 'waiting')];
    const late = { mounts, now: START + allowed('switch') + 1, watched: GRACE_MS + 1 };
    expect(next('switch', late)).toBe('storage.reverted none old');
    const found = nextOf('home', spec('switch'), facts(late));
    expect('step' in found && found.step.tells.message).toContain('web2 is waiting');
  });

  it('compares for as long as whoever began it has given it', () => {
    const waited = (ms: number) => ({ now: START + ms, watched: ms });
    expect(next('compare', waited(30 * 60_000))).toMatch(/^waits/);
    expect(next('compare', waited(30 * 60_000 + 1))).toBe('storage.reverted none old');
    const given = spec('compare');
    const move = { ...(given.move as NonNullable<StorageSpec['move']>), compareWithin: '4h' };
    const found = nextOf('home', { ...given, move }, facts(waited(3 * 3_600_000)));
    expect('waits' in found).toBe(true);
  });

  it('hears everybody first where the manager was away over the deadline', () => {
    const mounts = [mount('web1', 'away'), mount('web2', 'away')];
    const late = { mounts, now: START + 10 * allowed('switch'), watched: 0 };
    expect(next('switch', late)).toMatch(/^waits/);
    expect(next('switch', { ...late, mounts: facts().mounts })).toBe('storage.moved none new');
  });

  it('is taken back by its own measure where the wall clock was set back', () => {
    const mounts = [mount('web1', 'waiting')];
    const odd = { mounts, now: START - 1e9, watched: allowed('freeze') + 1 };
    expect(next('freeze', odd)).toBe('storage.reverted none old');
  });

  it('is taken back when the mover fails, is gone, or finds a difference', () => {
    const error = { code: 'copy-failed', message: 'No space left on device' };
    expect(next('copy', { report: said('copy', { error }) })).toBe('storage.reverted none old');
    expect(next('copy', { mounts: [mount('web2')] })).toBe('storage.reverted none old');
    expect(next('compare', { report: said('compare', { identical: false }) })).toBe(
      'storage.reverted none old',
    );
  });

  it('believes no report of another phase', () => {
    expect(next('compare', { report: said('copy', { pass: 1, identical: true }) })).toMatch(/^waits/);
  });

  it('says for how many seconds nobody could write', () => {
    const frozen = new Date(START).toISOString();
    const standing = spec('switch');
    const move = { ...(standing.move as NonNullable<StorageSpec['move']>), frozen };
    const found = nextOf('home', { ...standing, move }, facts({ now: START + 7000 }));
    expect('step' in found && found.step.tells.data).toMatchObject({ seconds: 7 });
    expect(takenBack('home', { ...standing, move }, 'why', START + 9000).tells.message).toContain('for 9 s');
  });
});

const order = [...movePhases];

/** One look of the job: how nodes and mover are then, how much time has passed, and whether the manager began anew. */
const look = fc.record({
  states: fc.tuple(
    ...[0, 1, 2].map(() => fc.constantFrom('ready', 'ready', 'waiting', 'away', 'excused', 'gone')),
  ),
  report: fc.option(
    fc.record({
      phase: fc.constantFrom<MovePhase>(...order),
      pass: fc.integer({ min: 0, max: 6 }),
      seconds: fc.integer({ min: 0, max: 20 }),
      identical: fc.constantFrom(undefined, undefined, true, true, false),
      error: fc.constantFrom(undefined, undefined, undefined, { code: 'copy-failed', message: 'it failed' }),
    }),
    { nil: undefined },
  ),
  unfenced: fc.constantFrom(null, null, 'files is behind'),
  ms: fc.constantFrom(0, 500, 5_000, 40_000, 200_000),
  restarts: fc.boolean(),
  clockJump: fc.constantFrom(0, 0, 0, -3_600_000),
});

describe('[3.7] whatever nodes, mover and manager do', () => {
  it('nobody is switched before both sides were the same while nobody could write, and nothing ends at an unverified place', () => {
    fc.assert(
      fc.property(fc.array(look, { minLength: 1, maxLength: 60 }), (looks) => {
        let standing = spec();
        const [wall, mono] = [{ now: START }, { since: 0, now: 0 }];
        for (const { states, unfenced, report, ms, restarts, clockJump } of looks) {
          if (!standing.move) break;
          wall.now += ms + clockJump;
          mono.now += ms;
          if (restarts) mono.since = mono.now;
          const mounts = states.flatMap((state, at) =>
            state === 'gone' ? [] : [mount(`web${at + 1}`, state as Mount['state'])],
          );
          const given = report && said(report.phase, report as Partial<StorageReport>);
          const seen = { mounts, unfenced, report: given, now: wall.now, watched: mono.now - mono.since };
          const found = nextOf('home', standing, seen);
          if ('waits' in found) continue;
          holds(standing, found.step.spec, seen);
          standing = found.step.spec;
          mono.since = mono.now;
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('every phase ends by its deadline, also with nobody there, and nothing but place and move is ever changed', () => {
    for (const phase of order)
      fc.assert(
        fc.property(look, ({ states, unfenced, report }) => {
          const mounts = states.map((state, at) =>
            mount(`web${at + 1}`, state === 'gone' ? 'away' : (state as Mount['state'])),
          );
          const given = report && said(report.phase, report as Partial<StorageReport>);
          const found = nextOf('home', spec(phase), {
            ...{ mounts, unfenced, report: given, now: START, watched: allowed(phase) + 1 },
          });
          expect('step' in found).toBe(true);
        }),
      );
  });
});

function holds(before: StorageSpec, after: StorageSpec, { mounts, unfenced, report }: MoveFacts): void {
  const [was, is] = [before.move as NonNullable<StorageSpec['move']>, after.move];
  const isNew = after.server === to.server;
  const frozen = mounts.every(({ state }) => state === 'ready' || state === 'excused');
  expect({ ...after, ...from, move: null }).toEqual({ ...before, ...from, move: null });
  if (is) expect(order.indexOf(is.phase)).toBe(order.indexOf(was.phase) + 1);
  // Whoever stops writing, switches or thaws at the new place does so with everybody there.
  if (isNew || (is && is.phase !== 'copy')) expect(frozen).toBe(true);
  if (is?.phase === 'compare') expect(unfenced).toBeNull();
  if (is?.phase === 'switch') expect(report).toMatchObject({ phase: 'compare', move: 'm1', identical: true });
  if (isNew && !is) expect(was.phase).toBe('switch');
  if (!is && !isNew) expect({ server: after.server, export: after.export }).toEqual(from);
}
