/** Finding the manager: what the command line says, then the environment, then a running sandbox, then the user's own file. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { messageOf } from '../protocol/errors.ts';
import { UsageError } from './failure.ts';

export interface Given {
  api?: string | undefined;
  /** The file with the certificate of the authority. */
  ca?: string | undefined;
  token?: string | undefined;
  /** A sandbox's up.json. */
  up?: string | undefined;
}

export interface Found {
  api: string;
  /** PEM. */
  ca: string;
  caFile: string;
  token: string;
}

export interface Surroundings {
  cwd: string;
  env: Record<string, string | undefined>;
}

const HOW = [
  'run this in a folder where a sandbox runs, or below one (`evenkeel up` starts it),',
  'or give --api URL --ca FILE --token TOKEN,',
  'or set EVENKEEL_API, EVENKEEL_CA and EVENKEEL_TOKEN,',
  'or write {"api": ..., "ca": ..., "token": ...} to ~/.config/evenkeel/config.json',
].join('\n');

/** @throws UsageError that says what is missing and every way to give it */
export function findManager(given: Given, { cwd, env }: Surroundings): Found {
  const own = {
    api: given.api ?? (env.EVENKEEL_API || undefined),
    ca: given.ca ?? (env.EVENKEEL_CA || undefined),
    token: given.token ?? (env.EVENKEEL_TOKEN || undefined),
  };
  const isWhole = own.api !== undefined && own.ca !== undefined && own.token !== undefined;
  const file = isWhole ? undefined : fileFor(given.up, cwd, env);
  const api = own.api ?? file?.api;
  const ca = own.ca === undefined ? file?.ca : resolve(cwd, own.ca);
  const token = own.token ?? file?.token;
  if (api === undefined) throw new UsageError('no manager was found', HOW);
  if (ca === undefined) throw new UsageError(`no certificate of the authority for ${api}`, HOW);
  if (token === undefined) throw new UsageError(`no token for ${api}`, HOW);
  return { api: checkedUrl(api), ca: read(ca), caFile: ca, token };
}

interface Pointed {
  api: string | undefined;
  ca: string | undefined;
  token: string | undefined;
}

function fileFor(up: string | undefined, cwd: string, env: Surroundings['env']): Pointed | undefined {
  const sandbox = up === undefined ? upAbove(cwd) : resolve(cwd, up);
  // Paths in up.json are seen from the folder that holds the sandbox's own.
  if (sandbox !== undefined) return pointed(sandbox, dirname(dirname(sandbox)));
  const home = env.XDG_CONFIG_HOME ?? (env.HOME === undefined ? undefined : join(env.HOME, '.config'));
  const config = home === undefined ? undefined : join(home, 'evenkeel', 'config.json');
  return config !== undefined && existsSync(config) ? pointed(config, dirname(config)) : undefined;
}

/** The up.json of the sandbox that lies in this folder or in one above it. */
function upAbove(folder: string): string | undefined {
  const file = join(folder, 'var', 'up.json');
  if (existsSync(file)) return file;
  return dirname(folder) === folder ? undefined : upAbove(dirname(folder));
}

function pointed(file: string, base: string): Pointed {
  const text = read(file);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (err) {
    throw new UsageError(`${file} is no JSON: ${messageOf(err)}`);
  }
  if (typeof content !== 'object' || content === null)
    throw new UsageError(`${file} must hold {api, ca, token}`);
  const field = (name: string): string | undefined => {
    const value = (content as Record<string, unknown>)[name];
    if (value === undefined || typeof value === 'string') return value;
    throw new UsageError(`${file}: ${name} must be a text`);
  };
  const ca = field('ca');
  return { api: field('api'), ca: ca === undefined ? undefined : resolve(base, ca), token: field('token') };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (err) {
    throw new UsageError(`${file} cannot be read: ${messageOf(err)}`);
  }
}

function checkedUrl(text: string): string {
  if (/^https:\/\/[^/]+\/?$/.test(text) && URL.canParse(text)) return text.replace(/\/$/, '');
  throw new UsageError(`${text} is not the address of a manager`, 'use https://HOST:PORT');
}
