/** The units of a box in a process of its own, which kills itself with SIGKILL at a step of the pipeline. */
import { startUnits } from './home.ts';

const [folder = '', step, phase, nth = '1'] = process.argv.slice(2);
let left = Number(nth);

await startUnits(
  folder,
  {
    checkpoint: (at, when) => {
      if (at !== step || when !== phase) return;
      left -= 1;
      if (left === 0) process.kill(process.pid, 'SIGKILL');
    },
  },
  () => undefined,
);
