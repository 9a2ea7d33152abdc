/** A long calculation in slices: between two of them everything else gets its turn, so that beats keep their pace. */

const STEPS = 50;

/** Runs all steps of a calculation without a pause. */
export function atOnce<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Runs all steps of a calculation with pauses. Whoever needs its inputs to stand still meanwhile sees to that. */
export async function inSlices<T>(steps: Generator<undefined, T>): Promise<T> {
  for (let at = 1; ; at += 1) {
    const step = steps.next();
    if (step.done) return step.value;
    if (at % STEPS === 0) await new Promise(setImmediate);
  }
}
