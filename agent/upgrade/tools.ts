/** What an upgrade does on the box: fetches the bundle from the manager, unpacks it, and has systemd run its installer. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { UpgradeTools } from './upgrade.ts';

const run = promisify(execFile);
const UNIT = 'evenkeel-upgrade';
/** Less than a rollout waits for a node: what comes later would replace an agent that nobody looks at any more. */
const FETCH_MS = 180_000;
const FETCH_TRIES = 4;
const AGAIN_MS = 5_000;
const LARGEST = 512 * 1024 * 1024;
const COMMAND_MS = 60_000;

export interface Manager {
  address: string;
  ports: { api: number };
  current(): { ca: string };
}

export const createUpgradeTools = (manager: Manager, clock: Clock): UpgradeTools => ({
  fetch: async (file, sum) => {
    const signal = AbortSignal.timeout(FETCH_MS);
    const found = await patiently(() => download(manager, file, signal), clock, signal);
    if (found !== sum)
      throw new EvenkeelError(
        'signature-invalid',
        `the bundle of the manager has the sum ${found}, told was ${sum}`,
      );
  },
  unpack: async (file, folder) => {
    await run('tar', ['-xzf', file, '-C', folder, '--no-same-owner'], { timeout: COMMAND_MS });
  },
  install: async (folder) => {
    const words = [join(folder, 'install.sh'), 'upgrade', '--yes', '--until-connected'];
    try {
      // A service of its own: the installer ends the agent's, with all that belongs to it.
      await run('systemd-run', ['--quiet', '--collect', `--unit=${UNIT}`, '/bin/sh', ...words], {
        timeout: COMMAND_MS,
      });
    } catch (cause) {
      throw new EvenkeelError('upgrade-refused', `systemd does not run the installer: ${messageOf(cause)}`, {
        cause,
      });
    }
  },
  installing: async () => {
    const { stdout } = await run('systemctl', ['show', '-p', 'ActiveState', '--value', `${UNIT}.service`], {
      timeout: COMMAND_MS,
    });
    return ['active', 'activating', 'deactivating'].includes(stdout.trim());
  },
  said: async () => {
    // By its processes: with -u systemd's own lines about the unit come along.
    const words = [`_SYSTEMD_UNIT=${UNIT}.service`, '-n', '12', '--no-pager', '-o', 'cat'];
    const { stdout } = await run('journalctl', words, { timeout: COMMAND_MS });
    return stdout.trim().slice(-2_000);
  },
});

/** A manager gives its bundle to a few at a time, and may be starting anew: it is asked again for a while. */
async function patiently<T>(work: () => Promise<T>, clock: Clock, signal: AbortSignal): Promise<T> {
  for (let tries = 1; ; tries += 1)
    try {
      return await work();
    } catch (err) {
      const isAway = err instanceof EvenkeelError && err.code === 'node-unreachable';
      if (!isAway || tries === FETCH_TRIES || signal.aborted) throw err;
      await clock.sleep(AGAIN_MS * tries, signal);
    }
}

/** @returns the SHA-256 of what came */
async function download(
  { address, ports, current }: Manager,
  file: string,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    const { ca } = current();
    const path = '/release/agent.tar.gz';
    const asked = request({
      host: address,
      port: ports.api,
      path,
      ca,
      agent: false,
      minVersion: 'TLSv1.3',
      signal,
    });
    asked.once('response', resolve);
    asked.once('error', reject);
    asked.end();
  }).catch((cause: unknown): never => {
    throw new EvenkeelError('node-unreachable', `the manager gives no bundle: ${messageOf(cause)}`, {
      cause,
    });
  });
  if (response.statusCode !== 200) {
    response.destroy();
    throw new EvenkeelError(
      'node-unreachable',
      `the manager gives no bundle: it answers ${response.statusCode}`,
    );
  }
  let size = 0;
  const counted = async function* (source: AsyncIterable<Buffer>) {
    for await (const part of source) {
      size += part.length;
      if (size > LARGEST)
        throw new EvenkeelError('payload-too-large', `the bundle is larger than ${LARGEST} bytes`);
      hash.update(part);
      yield part;
    }
  };
  await pipeline(response, counted, createWriteStream(file, { mode: 0o600 }), { signal });
  return hash.digest('hex');
}
