/** One process for a folder: a lock that the kernel drops when its holder dies, however it dies. */
import { realpathSync } from 'node:fs';
import { createServer } from 'node:net';
import { sha256 } from './digest.ts';

/** A name in the kernel's abstract socket space: no file, so nothing stale can be left behind. */
const socketOf = (use: string, folder: string): string => `\0evenkeel-${use}-${sha256(realpathSync(folder))}`;

/** Takes the lock of an existing folder for one use; returns its release, or nothing when another process holds it. */
export function takeLock(use: string, folder: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (err: NodeJS.ErrnoException) =>
      err.code === 'EADDRINUSE' ? resolve(undefined) : reject(err),
    );
    server.listen(socketOf(use, folder), () => {
      server.unref();
      resolve(() => new Promise((done) => server.close(() => done())));
    });
  });
}
