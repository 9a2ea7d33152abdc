/** Bisection: who among many fails a test, where nobody says so. */

/**
 * @param judge what speaks against these together, or null
 * @param most the search ends when more than so many have failed
 * @returns each that fails alone, with what speaks against it; none when all pass alone
 */
export async function bisect<T>(
  suspects: readonly T[],
  judge: (some: readonly T[]) => Promise<string | null>,
  most: number,
): Promise<Map<T, string>> {
  const found = new Map<T, string>();
  const search = async (some: readonly T[]): Promise<void> => {
    if (some.length === 0 || found.size > most) return;
    const message = await judge(some);
    if (message === null) return;
    const [first] = some;
    if (some.length === 1 && first !== undefined) {
      found.set(first, message);
      return;
    }
    const half = some.length >> 1;
    await search(some.slice(0, half));
    await search(some.slice(half));
  };
  await search(suspects);
  return found;
}
