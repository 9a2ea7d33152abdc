/** Progress, for whoever waits: nothing in the first second, then one line on standard error that says what takes so long. */

export interface Progress {
  /** What is going on now. */
  say(text: string): void;
}

const FIRST_MS = 1000;
/** A terminal's line is written over; a log gets a line now and then. */
const TERMINAL_MS = 200;
const LOG_MS = 10_000;

/** Shows how long the work takes while it lasts, and leaves no trace on a terminal. */
export async function withProgress<T>(title: string, work: (progress: Progress) => Promise<T>): Promise<T> {
  const { stderr } = process;
  const started = performance.now();
  let text = title;
  let shown = false;
  const show = () => {
    const line = `${text} … ${Math.round((performance.now() - started) / 1000)} s`;
    shown = true;
    stderr.write(stderr.isTTY ? `\r\u001b[2K${line.slice(0, (stderr.columns ?? 80) - 1)}` : `${line}\n`);
  };
  let timer = setTimeout(function tick() {
    show();
    timer = setTimeout(tick, stderr.isTTY ? TERMINAL_MS : LOG_MS);
  }, FIRST_MS);
  try {
    return await work({
      say: (now) => {
        text = now;
      },
    });
  } finally {
    clearTimeout(timer);
    if (shown && stderr.isTTY) stderr.write('\r\u001b[2K');
  }
}
