/** Whose turn it is: a line that changes hands between two units is never undone before the other one could ask for it. */
import type { Clock } from '../../common/clock.ts';

/** A pass that takes longer than this to say what it asks for finds undone what others gave up. */
const LONGEST_MS = 5_000;

export interface Turns {
  /** A pass of the unit is to come, also while one runs that may have begun too early to see all. */
  expect(unit: string): void;
  begin(unit: string): void;
  /** The one that has begun has ended, whether it asked for anything or not. */
  over(unit: string): void;
  /** Until the expected pass of the unit that has begun is over, `ms` at most. @returns whether there was one */
  followed(unit: string, ms: number): Promise<boolean>;
  /** What a unit asks for from now on, whether it is written down and made already or not. */
  say(unit: string, ids: Iterable<string>): void;
  /** Unknown of a unit that has not said anything since the agent began. */
  asks(unit: string, id: string): boolean | undefined;
  /** All that ask for it. */
  askers(id: string): string[];
  /** Until every other unit that is expected has said what it asks for, or its pass is over. */
  others(unit: string): Promise<void>;
  /** One after the other: who decides by what is written down changes it before the next one looks. */
  one<T>(work: () => Promise<T>): Promise<T>;
}

interface Awaited {
  ended: Promise<void>;
  end: () => void;
}

function awaited(): Awaited {
  let end: Awaited['end'] = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { ended, end };
}

export function createTurns(clock: Clock): Turns {
  const said = new Map<string, ReadonlySet<string>>();
  const coming = new Map<string, Awaited>();
  const begun = new Map<string, Awaited>();
  /** Those that have begun, also when they have said what they ask for. */
  const running = new Map<string, Awaited>();
  let queue: Promise<unknown> = Promise.resolve();
  const end = (passes: Map<string, Awaited>, unit: string) => {
    passes.get(unit)?.end();
    passes.delete(unit);
  };
  const inTime = async (all: readonly Promise<void>[], ms: number) => {
    let undo: () => void = () => undefined;
    const late = new Promise<void>((resolve) => {
      undo = clock.after(ms, resolve);
    });
    await Promise.race([Promise.all(all), late]);
    undo();
  };
  return {
    expect: (unit) => {
      if (!coming.has(unit)) coming.set(unit, awaited());
    },
    begin: (unit) => {
      const pass = coming.get(unit);
      if (pass !== undefined) {
        begun.set(unit, pass);
        running.set(unit, awaited());
      }
      coming.delete(unit);
    },
    over: (unit) => {
      end(begun, unit);
      end(running, unit);
    },
    followed: async (unit, ms) => {
      const pass = running.get(unit);
      if (pass !== undefined) await inTime([pass.ended], ms);
      return pass !== undefined;
    },
    say: (unit, ids) => {
      said.set(unit, new Set(ids));
      end(begun, unit);
    },
    asks: (unit, id) => said.get(unit)?.has(id),
    askers: (id) => [...said].flatMap(([unit, ids]) => (ids.has(id) ? [unit] : [])),
    others: async (unit) => {
      const all = [...coming, ...begun].flatMap(([other, { ended }]) => (other === unit ? [] : [ended]));
      if (all.length > 0) await inTime(all, LONGEST_MS);
    },
    one: (work) => {
      const turn = queue.then(work);
      queue = turn.catch(() => undefined);
      return turn;
    },
  };
}
