/** A person's terminal on a box: what is typed goes there, what it says comes here, until the shell ends or Ctrl-]. */
import { connect } from 'node:net';
import { order, placesIn } from './wire.ts';

/** Ctrl-], by which a person leaves; a box says it when its shell has ended (box/init2.sh). */
const END = 0x1d;

/** @param input must be a terminal */
export function openTerminal(dir: string, box: string): Promise<void> {
  const { stdin, stdout } = process;
  return new Promise((resolve, reject) => {
    const socket = connect(placesIn(dir).terminal(box));
    const leave = () => socket.destroy();
    socket.once('error', reject);
    socket.once('connect', () => {
      stdin.setRawMode(true);
      tellSize(dir, box);
      socket.write('\n');
    });
    socket.on('data', (part: Buffer) => {
      const at = part.indexOf(END);
      stdout.write(at < 0 ? part : part.subarray(0, at));
      if (at >= 0) leave();
    });
    stdin.on('data', (part: Buffer) => {
      if (part.includes(END)) leave();
      else socket.write(part);
    });
    socket.once('close', () => {
      stdin.setRawMode(false);
      stdin.destroy();
      resolve();
    });
  });
}

/** Tells the box how large the terminal is; without it long lines are folded at 80. */
function tellSize(dir: string, box: string): void {
  const { rows, columns } = process.stdout;
  const script = `stty -F /dev/ttyS1 rows ${rows} cols ${columns}`;
  order(dir, { verb: 'run', args: [box, script] }).catch((err: unknown) => {
    process.stderr.write(`the size of the terminal could not be told: ${String(err)}\n`);
  });
}
