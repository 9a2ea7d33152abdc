/** The box as preflight sees it: a few reads, and nothing that changes it. Tests record a box and play it back. */
import { execFile } from 'node:child_process';
import { lstat, readdir, readFile, readlink, statfs } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostname, networkInterfaces, release } from 'node:os';
import { dirname } from 'node:path';
import { systemClock } from '../../common/clock.ts';
import { createReach, type Reach } from '../../common/reach.ts';
import { messageOf } from '../../protocol/errors.ts';

export interface Ran {
  /** Null when it did not end in time, or by a signal. */
  status: number | null;
  output: string;
}

export interface Space {
  free: number;
  /** Zero where the file system counts none. */
  inodes: number;
  freeInodes: number;
}

export interface Address {
  device: string;
  address: string;
  prefix: number;
}

export interface Box {
  hostname: string;
  arch: string;
  /** Of the kernel. */
  release: string;
  now(): number;
  /** The text of a file; null when there is none, or it is not for us. */
  read(file: string): Promise<string | null>;
  /** What is at a path: where a link leads, what a folder holds. */
  at(path: string): Promise<{ link: string } | { entries: string[] } | 'file' | null>;
  /** Of the file system that a path is on, or would be. */
  space(path: string): Promise<Space | null>;
  addresses(): Address[];
  /** Null when it is not installed. */
  run(command: readonly [string, ...string[]]): Promise<Ran | null>;
  connect: Reach;
  /** Opens a port for a moment; its undo, or why it cannot be opened. */
  listen(address: string, port: number): Promise<(() => Promise<void>) | string>;
  /** The processes that hold sockets, by inode: `nginx (pid 12)`. */
  holders(inodes: readonly string[]): Promise<Map<string, string>>;
}

const RUN_MS = 5_000;
const CONNECT_MS = 3_000;

/** Commands are looked for where root has them, whatever PATH says. */
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin';

export const createBox = (): Box => ({
  hostname: hostname(),
  arch: process.arch,
  release: release(),
  now: Date.now,
  read: (file) => readFile(file, 'utf8').catch(() => null),
  at,
  space,
  addresses: () =>
    Object.entries(networkInterfaces()).flatMap(([device, list = []]) =>
      list.map(({ address, cidr }) => ({ device, address, prefix: Number(cidr?.split('/')[1] ?? 0) })),
    ),
  run,
  connect: createReach(systemClock, CONNECT_MS),
  listen,
  holders,
});

async function at(path: string) {
  try {
    const found = await lstat(path);
    if (found.isSymbolicLink()) return { link: await readlink(path) };
    return found.isDirectory() ? { entries: await readdir(path) } : ('file' as const);
  } catch {
    return null; // nothing there, or not for us
  }
}

async function space(path: string): Promise<Space | null> {
  try {
    const { bavail, bsize, files, ffree } = await statfs(path);
    return { free: bavail * bsize, inodes: files, freeInodes: ffree };
  } catch {
    return path === '/' ? null : space(dirname(path));
  }
}

/** Its words are read by us, so it speaks English. Nothing is waited for that a dead file server holds. */
const run = ([command, ...args]: readonly [string, ...string[]]): Promise<Ran | null> =>
  new Promise((resolve) => {
    const late = setTimeout(() => resolve({ status: null, output: '' }), RUN_MS + 500);
    const options = {
      ...{ timeout: RUN_MS, killSignal: 'SIGKILL' as const, maxBuffer: 16 * 1024 * 1024 },
      env: { PATH, LC_ALL: 'C' },
    } as const;
    execFile(command, args, options, (err, stdout, stderr) => {
      clearTimeout(late);
      if (err?.code === 'ENOENT') return resolve(null);
      const status = err === null ? 0 : typeof err.code === 'number' ? err.code : null;
      resolve({ status, output: `${stdout}${stderr}` });
    });
  });

const listen = (host: string, port: number): Promise<(() => Promise<void>) | string> =>
  new Promise((resolve) => {
    const server = createServer((socket) => socket.on('error', () => undefined).end());
    server.once('error', (err) => resolve((err as NodeJS.ErrnoException).code ?? messageOf(err)));
    server.listen({ host, port, exclusive: true }, () =>
      resolve(() => new Promise<void>((closed) => server.close(() => closed()))),
    );
  });

async function holders(inodes: readonly string[]): Promise<Map<string, string>> {
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  const found = new Map<string, string>();
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name));
  for (const pid of pids) {
    const folder = `/proc/${pid}/fd`;
    const fds = await readdir(folder).catch(() => []);
    const links = await Promise.all(fds.map((fd) => readlink(`${folder}/${fd}`).catch(() => '')));
    const held = links.filter((link) => wanted.has(link));
    if (held.length === 0) continue;
    const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '?')).trim();
    // The first is the parent of those that inherited it.
    for (const link of held) {
      const inode = link.slice('socket:['.length, -1);
      if (!found.has(inode)) found.set(inode, `${name} (pid ${pid})`);
    }
  }
  return found;
}
