/** Nearest: which of the known words somebody probably meant. Pure. */

/** The known word that is fewest letters away from `word`, or begins as it does; undefined where none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const most = Math.max(1, Math.floor(word.length / 3));
  const [best] = known
    .map((one) => ({ one, distance: distanceOf(word.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, distance }) => distance <= most || isBeginning(word, one))
    .sort((a, b) => a.distance - b.distance);
  return best?.one;
}

/** Before a fix: `did you mean this? `; empty where none is near. */
export function meantHint(word: string, known: readonly string[]): string {
  const meant = nearest(word, known);
  return meant === undefined ? '' : `did you mean ${meant}? `;
}

/** A plural, or a word that was cut short. */
const isBeginning = (word: string, one: string): boolean =>
  word.length >= 3 && (one.startsWith(word) || word.startsWith(one));

/** Letters to add, to take away, to replace, or to exchange with their neighbour. */
function distanceOf(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, at) => at)];
  const cost = (row: number, column: number) => rows[row]?.[column] ?? 0;
  for (let i = 1; i <= from.length; i += 1) {
    rows[i] = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const plain = Math.min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + same);
      (rows[i] as number[])[j] = swapped ? Math.min(plain, cost(i - 2, j - 2) + 1) : plain;
    }
  }
  return cost(from.length, to.length);
}
