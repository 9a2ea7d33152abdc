/** The release that this manager runs from, as far as nodes may have it: the installer and the agent's bundle. */
import { createReadStream } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { sha256 } from '../common/digest.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';

/** A bundle is some 40 MB: so many leave at once, and whoever else asks is told to come again. */
const MOST_DOWNLOADS = 8;
/** Nobody holds a place for longer, however slowly he reads. */
const LONGEST_MS = 10 * 60_000;

export interface Release {
  /** Of install.sh as it is given out, for join strings; undefined where there is nothing to give. */
  installer(): string | undefined;
  /** The agent's part, as nodes are told to fetch it; undefined where there is nothing to give. */
  agent(): { id: string; sum: string } | undefined;
  /** @throws EvenkeelError not-found when the manager does not run from a release */
  script(): string;
  /** The caller must read it to its end or destroy it. @throws EvenkeelError not-found, busy */
  bundle(): { size: number; stream: Readable };
}

/**
 * What there is, is what was there at the start: a release that is put in place meanwhile waits for the next start.
 * @param folder of the release; undefined for a manager that runs from a checkout
 * @throws EvenkeelError not-found when the folder is no release
 */
export async function openRelease(folder: string | undefined): Promise<Release> {
  const found = folder === undefined ? undefined : await look(folder);
  let leaving = 0;
  const served = () => {
    if (found) return found;
    throw new EvenkeelError(
      'not-found',
      'this manager runs from a checkout and has no installer to give; `npm run release` makes a release',
    );
  };
  return {
    installer: () => found?.sum,
    agent: () => found?.agent,
    script: () => served().script,
    bundle: () => {
      const { file, size } = served();
      if (leaving >= MOST_DOWNLOADS)
        throw new EvenkeelError('busy', `${leaving} boxes are fetching the agent now; try again in a moment`);
      leaving += 1;
      const stream = createReadStream(file, { signal: AbortSignal.timeout(LONGEST_MS) });
      stream.once('close', () => {
        leaving -= 1;
      });
      return { size, stream };
    },
  };
}

interface Found {
  script: string;
  sum: string;
  agent: { id: string; sum: string };
  file: string;
  size: number;
}

/** What the script that is given out says of the bundle that it fetches. */
function pinIn(script: string, name: string): string {
  const value = new RegExp(`^${name}=([0-9A-Za-z.+-]+)$`, 'm').exec(script)?.[1];
  if (value === undefined) throw new Error(`its install.sh has no ${name}`);
  return value;
}

async function look(folder: string): Promise<Found> {
  try {
    // The link to the current release may lead elsewhere tomorrow.
    const serve = join(await realpath(folder), 'serve');
    const file = join(serve, 'agent.tar.gz');
    const script = await readFile(join(serve, 'install.sh'), 'utf8');
    const agent = { id: pinIn(script, 'pinned_release'), sum: pinIn(script, 'pinned_bundle') };
    return { script, sum: sha256(script), agent, file, size: (await stat(file)).size };
  } catch (cause) {
    throw new EvenkeelError('not-found', `${folder} is no release: ${messageOf(cause)}`, { cause });
  }
}
