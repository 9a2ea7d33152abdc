/** One command of a queue: what an agent is handed, what its word makes of it, and what an operator may do. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AGAIN_MS,
  type Command,
  cancelled,
  expired,
  offered,
  retried,
  skipped,
  told,
} from '../../../common/queue/command.ts';
import { firstTurn } from '../../../common/queue/turn.ts';
import type { TryResult } from '../../../protocol/queue.ts';
import { tryResult, waitingCommand } from '../../support/command.ts';

const NOW = 1_790_000_000_000;
const commandOf = (more: Partial<Command> = {}): Command => waitingCommand({ seq: 1, ...more });
const failure = { end: 'failed', status: 1, error: { code: 'command-failed', message: 'no' } } as const;
const asked = (more: object = {}) => ({ ledger: 'L', now: NOW, paused: false, ...more });
const running = (more: Partial<Command> = {}) => offered(commandOf(more), asked()).command;

describe('[5.2] what an agent is handed', () => {
  it('is the first try, once; asked again, the same try and no other', () => {
    const first = offered(commandOf({ delay: 500 }), asked());
    expect([first.command.state, first.next?.number, first.next?.delay]).toEqual(['running', 1, 500]);
    const again = offered(first.command, asked({ now: NOW + 9_000 }));
    expect([again.command, again.next]).toEqual([first.command, first.next]);
  });

  it('is nothing while the queue is paused, or its run has not opened it', () => {
    expect(offered(commandOf(), asked({ paused: true })).next).toBeNull();
    for (const phase of ['waits', 'drains'] as const)
      expect(offered(commandOf({ turn: { ...firstTurn(NOW), phase } }), asked()).next).toBeNull();
    const turn = { ...firstTurn(NOW), phase: 'open' } as const;
    expect(offered(commandOf({ turn }), asked()).next).not.toBeNull();
  });

  it('is the next try of what has failed, five minutes later and not before', () => {
    const failed = told(running(), tryResult(failure), NOW);
    expect([failed.state, failed.again]).toEqual(['failed', NOW + AGAIN_MS]);
    expect(offered(failed, asked({ now: NOW + AGAIN_MS - 1 })).next).toBeNull();
    expect(offered(failed, asked({ now: NOW + AGAIN_MS })).next?.number).toBe(2);
  });
});

describe('[5.3] what may not be done twice', () => {
  const once = { idempotent: false };

  it('waits for a person when it has failed after it was begun, and is tried again when it was not', () => {
    expect(told(running(once), tryResult(failure), NOW)).toMatchObject({ state: 'failed', again: null });
    expect(told(running(once), tryResult({ ...failure, begun: false }), NOW).again).toBe(NOW + AGAIN_MS);
  });

  it('is unknown when nobody saw its end, or the record of its agent is gone, and nothing is handed out then', () => {
    const unseen = told(running(once), tryResult({ end: 'unknown' }), NOW);
    const gone = offered(running(once), asked({ ledger: 'another' }));
    expect([unseen.state, gone.command.state, gone.next]).toEqual(['unknown', 'unknown', null]);
    for (const command of [unseen, gone.command])
      expect(offered(command, asked({ now: NOW + 9 * AGAIN_MS })).next).toBeNull();
    expect(offered(retried(unseen, NOW), asked()).next?.number).toBe(2);
  });

  it('is simply tried again where a second time does no harm', () => {
    const gone = offered(running(), asked({ ledger: 'another' })).command;
    expect(offered(gone, asked({ ledger: 'another' })).next?.number).toBe(2);
  });
});

describe('[5.2] what an operator may do', () => {
  const failed = told(running(), tryResult(failure), NOW);

  it('tries again at once, with other values if he likes; skips with his reason; cancels', () => {
    expect(
      offered(
        retried(failed, NOW, { values: { a: 'b' }, digest: 'new', idempotent: true, hidden: [] }),
        asked(),
      ).next,
    ).toMatchObject({
      number: 2,
      values: { a: 'b' },
    });
    expect(skipped(failed, 'ann', 'done by hand')).toMatchObject({
      ...{ state: 'skipped', ended: { by: 'ann', reason: 'done by hand' } },
    });
    expect(cancelled(commandOf(), 'ann', '').state).toBe('cancelled');
  });

  it('stops what runs by the agent alone, and its end counts, whatever it is', () => {
    const stopping = cancelled(running(), 'ann', 'too slow');
    expect([stopping.state, offered(stopping, asked()).next]).toEqual(['running', null]);
    expect(told(stopping, tryResult({ end: 'cancelled' }), NOW)).toMatchObject({
      ...{ state: 'cancelled', ended: { by: 'ann', reason: 'too slow' } },
    });
    expect(told(stopping, tryResult(), NOW).state).toBe('succeeded');
    expect(told(stopping, tryResult(failure), NOW).state).toBe('cancelled');
  });

  it('is refused what makes no sense, and the command stays', () => {
    for (const act of [
      () => retried(running(), NOW),
      () => skipped(running(), 'ann', ''),
      () => retried(commandOf({ state: 'succeeded' }), NOW),
      () => cancelled(commandOf({ state: 'skipped' }), 'ann', ''),
    ])
      expect(act).toThrow(expect.objectContaining({ code: 'not-possible' }));
  });

  it('a command that has not begun in its time never does; one that has begun goes on', () => {
    expect(expired(commandOf({ expires: NOW }), NOW)?.state).toBe('expired');
    expect(expired(commandOf({ expires: NOW + 1 }), NOW)).toBeNull();
    expect(expired(running({ expires: NOW }), NOW + 1)).toBeNull();
  });

  it('never begins later than its deadline: a wait is cut short by it, and what was refused before it began is over', () => {
    const { next } = offered(commandOf({ expires: NOW + 500, delay: 60_000 }), {
      ...{ ledger: 'l', now: NOW, paused: false },
    });
    expect(next?.delay).toBe(500);
    // What was handed out and never began is asked for again.
    const taken = running({ expires: NOW + 500 });
    const asked = offered(taken, { ledger: taken.ledger ?? '', now: NOW + 600, paused: false });
    expect([asked.next, asked.command.stopping]).toEqual([null, true]);
    const ended = told(asked.command, tryResult({ end: 'cancelled', begun: false }), NOW + 601);
    expect(ended).toMatchObject({ state: 'cancelled', ended: { reason: 'it was not begun in its time' } });
    const end = { end: 'failed', error: { code: 'executable-refused', message: 'no' } } as const;
    const refused = told(running({ expires: NOW + 1 }), tryResult({ ...end, begun: false }), NOW);
    expect(expired(refused, NOW + 1)?.state).toBe('expired');
    const begun = told(running({ expires: NOW + 1 }), tryResult(end), NOW);
    expect(expired(begun, NOW + 1)).toBeNull();
  });
});

it('[5.3] the word of an earlier try, or of what is over, changes nothing, in whatever order it comes', () => {
  const ends = fc.constantFrom('succeeded', 'failed', 'cancelled', 'unknown') as fc.Arbitrary<
    TryResult['end']
  >;
  const said = fc.array(
    fc.record({ end: ends, number: fc.integer({ min: 1, max: 4 }), begun: fc.boolean() }),
  );
  fc.assert(
    fc.property(said, fc.boolean(), (all, idempotent) => {
      let command = running({ idempotent });
      for (const one of all) {
        const before = command;
        command = told(command, tryResult(one), NOW);
        if (before.state !== 'running' || one.number !== before.number) expect(command).toEqual(before);
        if (command.state === 'failed') command = offered(command, asked({ now: NOW + AGAIN_MS })).command;
      }
    }),
  );
});
