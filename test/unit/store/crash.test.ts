/** A crash: the writer is killed while it acknowledges, again and again on the same file. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { folder, opened } from './opened.ts';

const writer = join(import.meta.dirname, 'busy-writer.ts');

/** Lets it acknowledge so many writes, then kills it without warning; what it had said by then. */
async function writeUntilKilled(file: string, run: number, writes: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', writer, file, String(run)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  const said: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => {
    said.push(line);
    if (said.length === writes) child.kill('SIGKILL');
  });
  await Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return said;
}

it('[2 bad input] SIGKILL during writes loses no acknowledged change, and the chain verifies', async () => {
  const file = join(await folder(), 'store.sqlite');
  const said: string[] = [];
  for (const [run, writes] of [40, 700, 2000].entries()) {
    said.push(...(await writeUntilKilled(file, run, writes)));
    const { store } = await opened({ file });
    expect(store.meta()).toMatchObject({ mode: 'serving', damaged: false });
    for (const line of said) {
      const [revision, name = ''] = line.split(' ');
      expect(store.view().Site.get(name)?.revision, line).toBe(Number(revision));
    }
    expect((await store.verify()).problems).toEqual([]);
    await store.close();
  }
  expect(said.length).toBeGreaterThanOrEqual(2740);
});
