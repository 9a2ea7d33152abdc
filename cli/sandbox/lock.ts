/** One supervisor for each sandbox: a lock that the kernel drops when its holder dies, however it dies. */
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { sha256 } from '../../common/digest.ts';

/** A name in the kernel's abstract socket space: no file, so nothing stale can be left behind. */
const socketOf = (dir: string): string => `\0evenkeel-sandbox-${sha256(realpathSync(dir))}`;

/** Takes the lock of an existing folder; returns its release, or nothing when another process holds it. */
export function takeLock(dir: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (err: NodeJS.ErrnoException) =>
      err.code === 'EADDRINUSE' ? resolve(undefined) : reject(err),
    );
    server.listen(socketOf(dir), () => {
      server.unref();
      resolve(() => new Promise((done) => server.close(() => done())));
    });
  });
}
