/** Where everything of one sandbox lies: one folder, by default var/, and nothing outside it. */
import { existsSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Value } from 'typebox/value';
import { EvenkeelError } from '../../protocol/errors.ts';
import { AbsolutePath } from '../../protocol/values.ts';

/** The folders of one node; its agent keeps to them. */
export interface NodePlace {
  root: string;
  state: string;
  run: string;
  log: string;
}

export interface Layout {
  dir: string;
  /** What programs read to find the running sandbox; there only while it serves. */
  upFile: string;
  /** What must survive a stop: ports and the administrator's token. */
  settingsFile: string;
  /** Who runs now, by pid and start time, so that a crash leaves nobody behind. */
  processesFile: string;
  manager: string;
  /** Stands for the storage that all nodes share: one document root for each site. */
  sites: string;
  log(process: string): string;
  node(name: string): NodePlace;
}

export function layoutOf(folder: string): Layout {
  const dir = resolve(folder);
  return {
    dir,
    upFile: join(dir, 'up.json'),
    settingsFile: join(dir, 'sandbox.json'),
    processesFile: join(dir, 'processes.json'),
    manager: join(dir, 'manager'),
    sites: join(dir, 'sites'),
    log: (process) => join(dir, 'log', `${process}.log`),
    node: (name) => {
      const root = join(dir, name);
      return { root, state: join(root, 'state'), run: join(root, 'run'), log: join(root, 'log') };
    },
  };
}

/** A path as up.json shows it: seen from the folder that holds the sandbox's own, so `var/manager/ca.crt`. */
export const shownPath = (layout: Layout, path: string): string => relative(dirname(layout.dir), path);

/** The product itself: its bundles, and the policies and templates that ship with it. */
export interface Product {
  content: string;
  bundle(name: 'manager' | 'agent' | 'cli'): string;
  examples: string;
}

/** Found from this file, which is either the source or the bundle in dist/. */
export function findProduct(from = dirname(fileURLToPath(import.meta.url))): Product {
  const isRoot = existsSync(join(from, 'policies')) && existsSync(join(from, 'templates'));
  if (!isRoot && dirname(from) === from)
    throw new EvenkeelError(
      'not-found',
      'the sandbox needs a checkout: there are no policies/ and templates/',
    );
  if (!isRoot) return findProduct(dirname(from));
  return {
    content: from,
    bundle: (name) => join(from, 'dist', `${name}.js`),
    examples: join(from, 'examples'),
  };
}

/** A Unix socket's path may have 107 bytes; this is the longest of ours, with what HAProxy adds while it binds. */
const LONGEST_SOCKET = '/n1/run/web-nginx.status.sock.1234567.tmp';

/** @throws EvenkeelError bad-request when daemons or templates could not work with this place */
export function refuseUnfit({ dir }: Layout): void {
  if (dir.length + LONGEST_SOCKET.length > 107)
    throw new EvenkeelError(
      'bad-request',
      `${dir} is too long a path for Unix sockets; choose a shorter --dir`,
    );
  if (!Value.Check(AbsolutePath, dir))
    throw new EvenkeelError('bad-request', `${dir}: use a --dir of letters, digits and . _ @ + ~ = , - only`);
}
