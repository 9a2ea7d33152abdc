/** Work on the same thing one after the other, and on different things at once. */

export interface InOrder {
  of<T>(key: string, work: () => Promise<T>): Promise<T>;
  idle(): Promise<void>;
}

export function createInOrder(): InOrder {
  const last = new Map<string, Promise<unknown>>();
  return {
    of: <T>(key: string, work: () => Promise<T>): Promise<T> => {
      const turn = (last.get(key) ?? Promise.resolve()).then(work, work);
      const settled = turn
        .catch(() => undefined)
        .then(() => {
          if (last.get(key) === settled) last.delete(key);
        });
      last.set(key, settled);
      return turn;
    },
    idle: async () => {
      while (last.size > 0) await Promise.all(last.values());
    },
  };
}
