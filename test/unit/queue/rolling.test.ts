/** Rolling runs: whose turn it is, what a node has to be before the next one's, and what stops it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Command } from '../../../common/queue/command.ts';
import { hasFailed, isStopped, isTurning, type SeenNode, sizeOf } from '../../../common/queue/rolling.ts';
import { isOpen } from '../../../protocol/queue.ts';
import { Fleet, MINUTE } from './fleet.ts';

const down = [{ unit: 'web', check: 'http', state: 'down', detail: 'refused', since: '' }];

describe('[5.4] a rolling run', () => {
  it('drains a node, opens its command when its visitors have gone, gives it back, and only then takes the next', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3']);
    expect(fleet.look()).toEqual(['n1']);
    expect(fleet.phases()).toEqual({ n1: 'drains', n2: 'waits', n3: 'waits' });
    fleet.pass(5_000);
    expect(fleet.phases().n1).toBe('drains');
    fleet.empties('n1');
    fleet.pass(1_000);
    expect(fleet.phases().n1).toBe('open');
    fleet.pass(MINUTE);
    expect(fleet.phases()).toEqual({ n1: 'open', n2: 'waits', n3: 'waits' });
    fleet.set('n1', { state: 'succeeded' });
    fleet.pass(1_000);
    expect([fleet.phases().n1, fleet.nodes.get('n1')?.drain]).toEqual(['settles', undefined]);
    fleet.pass(5_000);
    expect(fleet.phases().n2).toBe('waits');
    fleet.pass(7_000);
    expect(fleet.phases()).toEqual({ n1: 'done', n2: 'drains', n3: 'waits' });
  });

  it('waits until a node is heard, has converged, serves again, and has no check down that was not down before', () => {
    const fleet = new Fleet(['n1', 'n2'], { drain: null });
    fleet.node('n1', { checks: [{ ...down[0], check: 'old' } as never] });
    fleet.look();
    fleet.set('n1', { state: 'succeeded' });
    const ills: [Partial<SeenNode>, string][] = [
      [{ online: false }, 'it is not heard'],
      [{ converged: false }, 'it has not converged'],
      [{ checks: down }, 'web/http is down: refused'],
    ];
    const well = fleet.nodes.get('n1');
    for (const [ill, why] of ills) {
      fleet.node('n1', ill);
      fleet.pass(MINUTE);
      expect([fleet.phases(), fleet.commands.get('n1')?.turn?.why]).toEqual([
        { n1: 'settles', n2: 'waits' },
        why,
      ]);
      fleet.node('n1', well ?? {});
    }
    fleet.serving.delete('n1');
    fleet.pass(MINUTE);
    expect(fleet.commands.get('n1')?.turn?.why).toBe('it is not back in the pool of shop');
    fleet.serving.add('n1');
    fleet.pass(13_000);
    expect(fleet.phases()).toEqual({ n1: 'done', n2: 'open' });
  });

  it('begins no other after so many that failed, counted over the whole run, and goes on when one is mended', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3', 'n4'], { drain: null, stopAfter: 2 });
    fleet.look();
    fleet.set('n1', { state: 'failed', number: 1 });
    fleet.pass(1_000);
    expect(fleet.phases().n2).toBe('open');
    fleet.set('n2', { state: 'succeeded' });
    fleet.pass(15_000);
    fleet.set('n3', { state: 'unknown', number: 1 });
    fleet.pass(MINUTE);
    expect(fleet.phases()).toEqual({ n1: 'open', n2: 'done', n3: 'open', n4: 'waits' });
    fleet.set('n1', { state: 'succeeded' });
    fleet.pass(15_000);
    expect(fleet.phases().n4).toBe('open');
  });

  it('takes a node that is not well in time, or does not leave its pools, for a failure as long as that stands', () => {
    const slow = new Fleet(['n1', 'n2'], { drain: null });
    slow.look();
    slow.set('n1', { state: 'succeeded' });
    slow.node('n1', { online: false });
    slow.pass(11 * MINUTE);
    expect([slow.phases(), hasFailed(slow.commands.get('n1') as Command)]).toEqual([
      { n1: 'settles', n2: 'waits' },
      true,
    ]);
    slow.node('n1', { online: true });
    slow.pass(15_000);
    expect(slow.phases()).toEqual({ n1: 'done', n2: 'open' });

    const stuck = new Fleet(['n1', 'n2', 'n3']);
    stuck.look();
    stuck.pass(MINUTE);
    expect(stuck.commands.get('n1')?.turn).toMatchObject({
      ...{ phase: 'drains', overdue: true, why: 'it has not left its pools in time' },
    });
    stuck.empties('n1');
    stuck.pass(1_000);
    expect(stuck.phases().n1).toBe('open');
  });

  it('keeps a drained node on which it failed drained until that is done, skipped or cancelled', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3']);
    fleet.look();
    fleet.empties('n1');
    fleet.pass(1_000);
    fleet.set('n1', { state: 'failed', number: 1 });
    fleet.pass(MINUTE);
    expect(fleet.nodes.get('n1')?.drain).toContain('run abcdefghijkl');
    fleet.set('n1', { state: 'skipped' });
    fleet.pass(1_000);
    expect(fleet.nodes.get('n1')?.drain).toBeUndefined();
  });

  it('leaves half of a pool, and goes about a node that alone serves one as it is, when nobody else is away', () => {
    const many = new Fleet(['n1', 'n2', 'n3', 'n4'], { size: 4 });
    many.look();
    expect(many.phases()).toEqual({ n1: 'drains', n2: 'drains', n3: 'waits', n4: 'waits' });
    const alone = new Fleet(['n1']);
    alone.look();
    expect([alone.phases(), alone.serving]).toEqual([{ n1: 'open' }, new Set(['n1'])]);
  });

  it('passes over who is away or busy, does not touch what somebody else has drained, and heeds him who undrains', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3', 'n4']);
    fleet.node('n1', { online: false });
    fleet.busy.add('n2');
    fleet.node('n3', { drain: 'a new disk (bob)' });
    fleet.serving.delete('n3');
    fleet.look();
    expect(fleet.phases()).toEqual({ n1: 'waits', n2: 'waits', n3: 'open', n4: 'waits' });
    expect(['n1', 'n2'].map((name) => fleet.commands.get(name)?.turn?.why)).toEqual([
      'it is not heard',
      'another is before it',
    ]);
    fleet.set('n3', { state: 'succeeded' });
    fleet.pass(15_000);
    expect([fleet.phases().n3, fleet.nodes.get('n3')?.drain]).toEqual(['done', 'a new disk (bob)']);
    expect(fleet.phases().n4).toBe('drains');
    fleet.pass(1_000);
    fleet.undrain('n4');
    fleet.pass(1_000);
    expect(fleet.phases().n4).toBe('open');
  });

  it('counts what other runs have in hand, and does not work on the last that serves while an operator keeps the others out', () => {
    const beside = new Fleet(['n1', 'n2', 'n3']);
    beside.away.add('n3');
    beside.busy.add('n3');
    beside.pass(2_000);
    expect(beside.phases()).toEqual({ n1: 'waits', n2: 'waits', n3: 'waits' });
    expect(beside.commands.get('n1')?.turn?.why).toBe('n3 is away, and half of shop is to serve');
    beside.away.clear();
    beside.pass(2_000);
    expect(beside.phases().n1).toBe('drains');

    const last = new Fleet(['n1', 'n2']);
    last.node('n2', { drain: 'a new disk (bob)' });
    last.busy.add('n2');
    last.pass(2_000);
    expect(last.commands.get('n1')?.turn).toMatchObject({
      ...{ phase: 'waits', why: 'it alone serves shop while n2 is set aside' },
    });
    last.undrain('n2');
    last.pass(2_000);
    expect(last.phases().n1).toBe('drains');
  });

  it('begins no other while what has failed is tried again, and does not ask that a node serves which an operator has set aside', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3'], { drain: null, size: 2 });
    fleet.look();
    fleet.set('n1', { state: 'failed', number: 1 });
    fleet.set('n2', { state: 'succeeded', number: 1 });
    fleet.node('n2', { drain: 'a new disk (bob)' });
    fleet.serving.delete('n2');
    fleet.pass(15_000);
    expect(fleet.phases()).toEqual({ n1: 'open', n2: 'done', n3: 'waits' });
    fleet.set('n1', { state: 'running', number: 2 });
    fleet.pass(MINUTE);
    expect(fleet.phases().n3).toBe('waits');
    fleet.set('n1', { state: 'succeeded', number: 2 });
    fleet.pass(2_000);
    expect(fleet.phases().n3).toBe('open');
  });

  it('takes a command whose queue is paused, or whose node is silent, for a failure after ten minutes of just that', () => {
    const fleet = new Fleet(['n1', 'n2'], { drain: null });
    fleet.look();
    fleet.set('n1', { state: 'running', number: 1 });
    fleet.pass(20 * MINUTE);
    fleet.node('n1', { online: false });
    fleet.pass(5_000);
    expect(hasFailed(fleet.commands.get('n1') as Command)).toBe(false);
    fleet.pass(10 * MINUTE);
    expect(hasFailed(fleet.commands.get('n1') as Command)).toBe(true);
    fleet.node('n1', { online: true });
    fleet.set('n1', { state: 'waiting', number: 0 });
    fleet.busy.add('n1');
    fleet.pass(5_000);
    expect(fleet.commands.get('n1')?.turn).toMatchObject({ overdue: false, why: 'another is before it' });
    fleet.pass(11 * MINUTE);
    expect(fleet.commands.get('n1')?.turn).toMatchObject({ overdue: true });
  });

  it('takes no node that another run has in hand, and says so for just as long', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3', 'n4']);
    fleet.away.add('n1');
    fleet.taken.add('n1');
    fleet.pass(2_000);
    expect(fleet.phases()).toMatchObject({ n1: 'waits', n2: 'drains' });
    expect(fleet.commands.get('n1')?.turn?.why).toBe('another run has it in hand');
    // Its own is under way still; what it waits for now is its turn.
    fleet.away.clear();
    fleet.taken.clear();
    fleet.pass(1_000);
    expect(fleet.commands.get('n1')?.turn).toMatchObject({ phase: 'waits', why: '' });
    fleet.busy.add('n1');
    fleet.pass(1_000);
    expect(fleet.commands.get('n1')?.turn).toMatchObject({ phase: 'waits', why: 'another is before it' });
  });

  it('goes on when the clock was set back', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3']);
    fleet.pass(2_000);
    fleet.now -= 60 * MINUTE;
    fleet.pass(MINUTE);
    expect(fleet.commands.get('n1')?.turn?.overdue).toBe(true);
    fleet.empties('n1');
    fleet.pass(1_000);
    fleet.set('n1', { state: 'succeeded' });
    fleet.pass(2_000);
    fleet.now -= 60 * MINUTE;
    fleet.pass(20_000);
    expect(fleet.phases()).toMatchObject({ n1: 'done', n2: 'drains' });
  });

  it('is done with a node that was removed, and gives back one whose command was cancelled before it began', () => {
    const fleet = new Fleet(['n1', 'n2', 'n3']);
    fleet.look();
    fleet.set('n1', { state: 'cancelled' });
    fleet.set('n2', { state: 'expired' });
    fleet.nodes.delete('n3');
    fleet.set('n3', { state: 'cancelled' });
    fleet.pass(15_000);
    expect([fleet.phases(), fleet.nodes.get('n1')?.drain]).toEqual([
      { n1: 'done', n2: 'done', n3: 'done' },
      undefined,
    ]);
  });

  it('takes a share of its nodes, and one at least', () => {
    expect(['1', '3', '25%', '100%', '1%'].map((size) => sizeOf(size, 10))).toEqual([1, 3, 2, 10, 1]);
  });
});

const happening = fc.record({
  node: fc.integer({ min: 0, max: 5 }),
  what: fc.constantFrom('leaves', 'succeeds', 'fails', 'again', 'mended', 'ill', 'well', 'skips', 'time'),
});

it('[5.4] whatever happens, never more than its size and what has failed are in hand, half of the pool serves, and in the end nothing is left drained', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(happening, { maxLength: 60 }),
      (nodes, size, stopAfter, happenings) => {
        const names = Array.from({ length: nodes }, (_, at) => `n${at}`);
        const fleet = new Fleet(names, { size, stopAfter });
        const drained = () => [...fleet.nodes.values()].filter(({ drain }) => drain !== undefined).length;
        const check = () => {
          const inHand = [...fleet.commands.values()].filter(
            (one) => isTurning(one) && one.turn?.phase !== 'waits' && !hasFailed(one),
          );
          // What has failed makes room for another, and may come back when it is mended.
          expect(inHand.length).toBeLessThanOrEqual(size + stopAfter - 1);
          expect(nodes - drained()).toBeGreaterThanOrEqual(Math.max(1, Math.ceil(nodes / 2)));
        };
        const happen = (name: string, what: string) => {
          const command = fleet.commands.get(name);
          const isBegun = command?.turn?.phase === 'open' && isOpen(command.state);
          if (what === 'leaves') fleet.empties(name);
          if (what === 'succeeds' && isBegun) fleet.set(name, { state: 'succeeded' });
          if (what === 'fails' && isBegun) fleet.set(name, { state: 'failed', number: 1 });
          if (what === 'again' && command?.state === 'failed')
            fleet.set(name, { state: 'running', number: 2 });
          if (what === 'mended' && command?.state === 'failed') fleet.set(name, { state: 'succeeded' });
          if (what === 'ill') fleet.node(name, { checks: down });
          if (what === 'well') fleet.node(name, { checks: [] });
          if (what === 'skips' && isOpen(command?.state ?? 'skipped')) fleet.set(name, { state: 'skipped' });
          if (what === 'time') fleet.pass(11 * MINUTE, MINUTE);
          else fleet.pass(2_000);
        };
        for (const { node, what } of happenings) {
          const waiting = () => Object.values(fleet.phases()).filter((phase) => phase === 'waits').length;
          const before = [isStopped(fleet.plan, [...fleet.commands.values()]), waiting()] as const;
          happen(`n${node % nodes}`, what);
          check();
          // Stopped before and after, whatever was in between: nobody had his turn meanwhile.
          if (before[0] && isStopped(fleet.plan, [...fleet.commands.values()]) && what === 'again')
            expect(waiting()).toBe(before[1]);
        }
        for (let round = 0; round < 3 * nodes + 3; round += 1)
          for (const name of names) {
            for (const what of ['well', 'leaves', 'succeeds', 'mended', 'time']) happen(name, what);
            check();
          }
        expect([drained(), [...fleet.commands.values()].filter(isTurning)]).toEqual([0, []]);
      },
    ),
    { numRuns: 150 },
  );
});
