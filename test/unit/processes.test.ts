/** Files beside daemons: read while somebody writes and deletes them. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { pidIn, tailOf } from '../../common/processes.ts';

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-processes-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes and deletes a file until it is ended. */
const FLICKER = `const { writeFileSync, unlinkSync } = require('node:fs');
for (const end = Date.now() + 20_000; Date.now() < end; ) {
  writeFileSync(process.argv[1], '77\\n');
  unlinkSync(process.argv[1]);
}`;

it('[4.8] a pid file that comes and goes is read or is not there, and never an error', async () => {
  const file = join(folder, 'flickers.pid');
  const child = spawn(process.execPath, ['-e', FLICKER, file], { stdio: 'ignore' });
  await once(child, 'spawn');
  const seen = new Set<number | null>();
  for (const end = Date.now() + 10_000; Date.now() < end && seen.size < 2; )
    for (let at = 0; at < 20_000; at += 1) seen.add(pidIn(file));
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect([...seen].sort()).toEqual([77, null]);
});

it('[4.8] of a file the end is read, of a folder, a pipe and nothing at all, nothing, and nobody waits', () => {
  const [file, pipe] = [join(folder, 'long'), join(folder, 'pipe')];
  writeFileSync(file, `${'x'.repeat(10_000)}end`);
  execFileSync('mkfifo', [pipe]);
  expect([tailOf(file, 4), tailOf(folder), tailOf(pipe), tailOf(join(folder, 'none'))]).toEqual([
    'xend',
    '',
    '',
    '',
  ]);
});
