/** Start in the written order, stop in reverse, with one deadline for all. */
import { messageOf } from '../protocol/errors.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import type { ServiceManager } from './service-manager.ts';

export interface Part {
  name: string;
  /** Opens what it needs; returns its own undo, which must not throw for being called late. */
  start(): Promise<() => Promise<void> | void>;
}

export interface Running {
  /** Stops all parts, last first; a part that fails or hangs is logged and left. */
  stop(): Promise<void>;
}

/** Starts the parts one after the other. When one fails, those before it are stopped again and its error is thrown. */
export async function startAll(
  parts: Part[],
  { clock, log, deadline = 10_000 }: { clock: Clock; log: Log; deadline?: number },
): Promise<Running> {
  const undo: { name: string; stop: () => Promise<void> | void }[] = [];
  const stopOne = async ({ name, stop }: (typeof undo)[number]) => {
    const patience = new AbortController();
    const late = clock.sleep(deadline, patience.signal).then(
      () => log.error({ part: name }, 'part did not stop in time'),
      () => undefined,
    );
    const stopped = Promise.resolve()
      .then(stop)
      .catch((err: unknown) => log.error({ part: name, err: messageOf(err) }, 'part failed to stop'));
    await Promise.race([stopped, late]);
    patience.abort(new Error('stopped'));
  };
  const stop = async () => {
    for (let part = undo.pop(); part !== undefined; part = undo.pop()) await stopOne(part);
  };
  for (const part of parts) {
    try {
      undo.push({ name: part.name, stop: await part.start() });
    } catch (err) {
      await stop();
      throw err;
    }
  }
  return { stop };
}

/** Says that it serves, and runs until SIGTERM or SIGINT; the second signal exits at once. */
export async function runUntilSignal(
  running: Running,
  { log, service }: { log: Log; service: ServiceManager },
): Promise<void> {
  const leave = await service.ready();
  await new Promise<void>((resolve) => {
    let first = true;
    const onSignal = (signal: NodeJS.Signals) => {
      if (!first) process.exit(130);
      first = false;
      log.info({ signal }, 'stopping');
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
  await leave();
  await running.stop();
}
