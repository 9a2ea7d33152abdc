/** Waiting for the world to be as promised, with a deadline instead of a sleep. */

/** Asks `every` so many milliseconds until the condition holds. @throws with `what` when the deadline passes first */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  ms = 10_000,
  every = 10,
): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`within ${ms} ms, not so: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
