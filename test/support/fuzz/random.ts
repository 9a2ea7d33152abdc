/** Chance that can be had again: a small seeded generator, and the few ways in which the fuzz asks it. */

export interface Random {
  /** From 0 up to, not including, `below`. */
  below(below: number): number;
  /** True once in so many times. */
  oneIn(times: number): boolean;
  /** @throws when there is nothing to choose from */
  pick<T>(from: readonly T[]): T;
  /** One of the rows, each as often as its weight says. */
  weighed<T extends { weight: number }>(rows: readonly T[]): T;
}

/** Mulberry32: the same seed always gives the same steps. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(from: readonly T[]): T => {
    if (from.length === 0) throw new Error('there is nothing to choose from');
    return from[below(from.length)] as T;
  };
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick,
    weighed: (rows) => {
      let left = below(rows.reduce((sum, { weight }) => sum + weight, 0));
      const found = rows.find(({ weight }) => {
        left -= weight;
        return left < 0;
      });
      return found ?? pick(rows);
    },
  };
}
