/** What a box without anything fetches from the manager: the installer, and the agent with all that it runs on. */
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterEach, expect, it } from 'vitest';
import { sha256 } from '../../../common/digest.ts';
import { openRelease } from '../../../manager/release.ts';
import { startTestApi, type TestApi } from '../../support/api.ts';

let folder: string | undefined;
let api: TestApi | undefined;
afterEach(async () => {
  await api?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true });
  [api, folder] = [undefined, undefined];
});

const PINS = `pinned_release=1.0.0-aaaaaaaaaaaa-agent\npinned_bundle=${'c'.repeat(64)}\n`;
const SCRIPT = `#!/bin/sh\n${PINS}echo installed\n`;

/** A release as it lies on a manager's box: a link leads to it. */
function release(bundle: Buffer): string {
  folder = mkdtempSync(join(tmpdir(), 'release-'));
  const serve = join(folder, 'releases', 'one', 'serve');
  mkdirSync(serve, { recursive: true });
  writeFileSync(join(serve, 'install.sh'), SCRIPT);
  writeFileSync(join(serve, 'agent.tar.gz'), bundle);
  symlinkSync('releases/one', join(folder, 'current'));
  return join(folder, 'current');
}

it('[4.1] the installer and the agent are given to whoever asks, byte for byte, and the join string pins the installer', async () => {
  const bundle = Buffer.alloc(3_000_000, 'agent');
  const current = release(bundle);
  api = await startTestApi({ release: current });
  const script = await api.app.inject({ method: 'GET', url: '/install.sh' });
  expect([script.statusCode, script.body]).toEqual([200, SCRIPT]);
  const got = await api.app.inject({ method: 'GET', url: '/release/agent.tar.gz' });
  expect([got.statusCode, sha256(got.rawPayload)]).toEqual([200, sha256(bundle)]);
  expect((await openRelease(current)).installer()).toBe(sha256(SCRIPT));
});

it('[4.1] a manager that runs from a checkout says that it has no installer, and how to make one', async () => {
  api = await startTestApi();
  for (const path of ['/install.sh', '/release/agent.tar.gz']) {
    const { statusCode, body } = await api.app.inject({ method: 'GET', url: path });
    expect(statusCode).toBe(404);
    expect(body).toContain('npm run release');
  }
});

/** As the door does it when a box goes away. */
async function gone(stream: Readable): Promise<void> {
  const closed = once(stream, 'close');
  stream.resume();
  await once(stream, 'data');
  stream.destroy();
  await closed;
}

it('[4.1] so many boxes fetch at once, the next is told to come again, and those that went away free their place', async () => {
  const { bundle } = await openRelease(release(Buffer.alloc(100_000)));
  const streams = Array.from({ length: 8 }, () => bundle().stream);
  expect(bundle).toThrow('are fetching the agent now');
  const [first, ...others] = streams;
  if (first) await gone(first);
  const next = bundle().stream;
  await Promise.all([...others, next].map(gone));
});

it('[4.1] a manager that is pointed at a folder that is no release does not start with it', async () => {
  await expect(openRelease(tmpdir())).rejects.toThrow('is no release');
});
