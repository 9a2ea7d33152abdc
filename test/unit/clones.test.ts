/** Two boxes with one key: told from one box that restarts, reboots or moves, and named once. */
import { expect, it } from 'vitest';
import { createClones } from '../../manager/clones.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import type { EventLine } from '../../protocol/views.ts';
import { createManualClock } from '../support/clock.ts';

const MINUTE = 60_000;

function start() {
  const clock = createManualClock();
  const events: Omit<EventLine, 'id' | 'at'>[] = [];
  let heardAt: number | undefined;
  const clones = createClones({ heard: () => heardAt, emit: (event) => events.push(event), clock });
  clones.start();
  let runs = 0;
  /** A box; each process of its agent is one more. */
  const box = (name: string, from: string) => {
    const shown = (boot: string, run: number) =>
      JSON.stringify({
        run: `${run}`,
        boot: `${name}-${boot}`,
        machine: 'one-image',
        hardware: `uuid ${name}`,
      });
    const process = (boot = '1', address = from) => {
      runs += 1;
      const mine = shown(boot, runs);
      return (at = address): string => {
        try {
          clones.admit('web1', mine, at);
          return 'in';
        } catch (err) {
          return (err as EvenkeelError).code;
        }
      };
    };
    return process;
  };
  const hear = () => {
    heardAt = clock.monotonic();
  };
  return { clock, events, clones, box, hear };
}

it('[4.4] a box that reconnects, restarts its agent, reboots or gets another address is one box', () => {
  const { events, clones, box } = start();
  const a = box('a', '10.0.0.5');
  const first = a();
  expect([first(), first('10.0.0.77'), first()]).toEqual(['in', 'in', 'in']);
  for (const boot of ['1', '2', '3', '4']) {
    const again = a(boot, `10.0.1.${boot}`);
    expect([again(), again()]).toEqual(['in', 'in']);
  }
  expect({ events, alarms: clones.alarms('web1') }).toEqual({ events: [], alarms: [] });
});

it('[4.4] two that live are noticed when the first comes back: both are named, the second is refused', async () => {
  const { clock, events, clones, box, hear } = start();
  const [a, b] = [box('a', '::ffff:10.0.0.5')(), box('b', '10.0.0.9')()];
  expect([a(), b(), a()]).toEqual(['in', 'in', 'in']);
  expect(events).toEqual([
    expect.objectContaining({
      ...{ type: 'identity.cloned', severity: 'error', node: 'web1' },
      data: {
        first: { from: '10.0.0.5', boot: 'a-1', machine: 'one-image', hardware: 'uuid a' },
        second: { from: '10.0.0.9', boot: 'b-1', machine: 'one-image', hardware: 'uuid b' },
      },
    }),
  ]);
  expect(events[0]?.message).toMatch(/10\.0\.0\.5.*uuid a.*10\.0\.0\.9.*uuid b/);
  for (let n = 0; n < 100; n += 1) {
    await clock.advance(30_000);
    hear();
    expect(b()).toBe('identity-copied');
  }
  expect(a(), 'the first stays').toBe('in');
  expect(events, 'once, however often it tries').toHaveLength(1);
  expect(clones.alarms('web1')).toMatchObject([
    { code: 'identity-copied', message: expect.stringMatching(/10\.0\.0\.5.*10\.0\.0\.9/) },
  ]);
});

it('[4.4] the second stays out after a restart and a reboot, and the first gets in after its own', () => {
  const { events, box, hear } = start();
  const [boxA, boxB] = [box('a', '10.0.0.5'), box('b', '10.0.0.9')];
  const [a, b] = [boxA(), boxB()];
  expect([a(), b(), a(), b()]).toEqual(['in', 'in', 'in', 'identity-copied']);
  hear();
  expect([boxB('1')(), boxB('2')(), boxA('1')(), boxA('2')()]).toEqual([
    ...['identity-copied', 'identity-copied', 'in', 'in'],
  ]);
  expect(boxB('3')()).toBe('identity-copied');
  expect(events).toHaveLength(1);
});

it('[4.4] a disk that has moved gets in once the first has not been heard for five minutes', async () => {
  const { clock, clones, box, hear } = start();
  const [a, b] = [box('a', '10.0.0.5')(), box('b', '10.0.0.9')()];
  expect([a(), b(), a()]).toEqual(['in', 'in', 'in']);
  hear();
  await clock.advance(4 * MINUTE);
  expect(b()).toBe('identity-copied');
  await clock.advance(MINUTE);
  expect(b()).toBe('in');
  expect(clones.alarms('web1')).toEqual([]);
});

it('[4.4] the alarm ends ten minutes after the copy is gone, and with the node', async () => {
  const { clock, events, clones, box, hear } = start();
  const again = () => {
    const [a, b] = [box('a', '10.0.0.5')(), box('b', '10.0.0.9')()];
    expect([a(), b(), a()]).toEqual(['in', 'in', 'in']);
    hear();
  };
  again();
  await clock.advance(9 * MINUTE);
  expect(clones.alarms('web1')).toHaveLength(1);
  await clock.advance(2 * MINUTE);
  expect(clones.alarms('web1')).toEqual([]);
  again();
  expect(events, 'it is news again').toHaveLength(2);
  clones.forget('web1');
  expect(clones.alarms('web1')).toEqual([]);
});

it('[4.4] an agent that shows nothing, or nonsense, is let in by its certificate alone', () => {
  const { events, clones } = start();
  for (const shown of [undefined, '', 'me', '{}', JSON.stringify({ run: 'x'.repeat(10_000) })])
    expect(() => clones.admit('web1', shown, '10.0.0.5')).not.toThrow();
  expect(events).toEqual([]);
});
