/** What a shell completes and what man shows: read by bash and by man themselves. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { completionOf, manualOf } from '../../cli/commands/completion.ts';
import { createProgram } from '../../cli/program.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** What bash offers for the last of these words. */
function offered(words: string[]): string[] {
  const file = join(folder, 'completion.bash');
  writeFileSync(file, completionOf(createProgram()));
  const script = `. ${file}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _evenkeel; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-euc', script, 'bash', ...words], { encoding: 'utf8' })
    .trim()
    .split('\n');
}

it('[4.1] bash completes commands, what is below them, and options', () => {
  expect(offered(['evenkeel', 'app'])).toEqual(['apply']);
  expect(offered(['evenkeel', 'node', 'dr'])).toEqual(['drain']);
  expect(offered(['evenkeel', '-o', 'json', 'node', 'invite', '--ro'])).toEqual(['--role']);
  expect(offered(['evenkeel', 'no'])).toEqual(['nodes', 'node']);
});

it('[4.1] the manual page names every command, and man has nothing to complain of', () => {
  const text = manualOf(createProgram());
  for (const words of ['apply', 'node invite', 'node drain', 'storage'])
    expect(text).toContain(`.SS evenkeel ${words}`);
  const file = join(folder, 'evenkeel.1');
  writeFileSync(file, text);
  const { stdout, stderr } = spawnSync('groff', ['-man', '-Tascii', '-ww', file], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(stdout).toContain('keeps a web-hosting cluster');
});
