/** The life of boxes and labs around the tests of one file: made once, healed after each test, logs kept of what fails. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type Boxes, type BoxOptions, createBoxes, failedFolder, type GroundOptions } from './boxes.ts';
import { createLab, type Lab, type LabOptions } from './cluster.ts';

/** Boxes that run nothing, booted. */
export const useBoxes = (boxes: BoxOptions[], ground?: GroundOptions): (() => Boxes) =>
  use(async () => {
    const made = createBoxes(boxes, ground);
    await made.boot();
    return made;
  });

/** A cluster whose nodes serve. */
export const useLab = (options: LabOptions): (() => Lab) =>
  use(async () => {
    const lab = await createLab(options);
    await lab.settled();
    return lab;
  });

function use<T extends Boxes>(make: () => Promise<T>): () => T {
  let made: T | undefined;
  const get = () => {
    if (!made) throw new Error('the lab has not started');
    return made;
  };
  beforeAll(async () => {
    made = await make();
  }, 240_000);
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') {
      const where = failedFolder(task.name);
      await get().saveLogs(where);
      process.stderr.write(`lab: the logs of "${task.name}" are in ${where}\n`);
    }
    await get().heal();
  }, 120_000);
  afterAll(async () => {
    await made?.stop();
  }, 60_000);
  return get;
}
