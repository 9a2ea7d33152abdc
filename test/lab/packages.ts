/** The packages of the lab, given out on the host's side of the bridge: boxes have no internet. */
import { createReadStream } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { basename, join } from 'node:path';
import type { Guest } from './guest.ts';
import { HOST } from './lan.ts';

const PORT = 3142;

/** Gives out the files of a folder; returns its undo. */
export async function offerPackages(folder: string): Promise<() => void> {
  const server: Server = createServer((request, answer) => {
    const stream = createReadStream(
      join(folder, basename(new URL(request.url ?? '/', 'http://lab').pathname)),
    );
    stream.on('error', () => answer.writeHead(404).end());
    stream.pipe(answer);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(PORT, HOST, resolve);
  });
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** Where apt on a box takes its packages from. */
export const useOffered = (box: Guest): Promise<string> =>
  box.run(`echo 'deb [trusted=yes] http://${HOST}:${PORT}/ ./' >/etc/apt/sources.list`);
