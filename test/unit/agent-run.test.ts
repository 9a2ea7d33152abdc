/** One command run to its end, whatever it does: hangs, floods, forks, and is gone when nobody waits for it any more. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRun } from '../../agent/drivers/run.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { until } from '../support/until.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-run-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = createRun({ executables: createExecutables({ sh: '/bin/sh' }), clock });
const sh = (script: string, options: { timeout: number; signal?: AbortSignal } = { timeout: 20_000 }) =>
  run(['sh', '-c', script, 'sh', join(folder, 'pid')], options);
const pid = () => Number(readFileSync(join(folder, 'pid'), 'utf8'));
const gone = () => until('it has ended', () => !existsSync(`/proc/${pid()}`));

it('[2 bad input] a command that floods its outputs is kept to its beginning and its end', async () => {
  const { status, output } = await sh('echo first; head -c 100000000 /dev/zero | tr "\\0" x; echo last >&2');
  expect(status).toBe(0);
  expect(output).toContain('first');
  expect(output).toContain('last');
  expect(output.length).toBeLessThan(40_000);
});

it('[2 bad input] a command has ended when it has, though a child that it left holds its outputs', async () => {
  const begun = clock.monotonic();
  const { status, output } = await sh('echo said; setsid sleep 20 & echo $! > "$1"; exit 3');
  process.kill(pid(), 'SIGKILL');
  expect([status, output.trim()]).toEqual([3, 'said']);
  expect(clock.monotonic() - begun).toBeLessThan(5_000);
});

it('[2 bad input] a command that ignores every polite signal is ended with its children when time is over', async () => {
  const hanging = sh('trap "" TERM INT HUP; sleep 30 & echo $! > "$1"; wait', { timeout: 300 });
  await expect(hanging).rejects.toMatchObject({ code: 'command-timeout' });
  await gone();
});

it('[2 bad input] a command is ended with the agent that waits for it', async () => {
  const stops = new AbortController();
  const hanging = sh('echo $$ > "$1"; sleep 30', { timeout: 30_000, signal: stops.signal });
  await until('it runs', () => existsSync(join(folder, 'pid')) && pid() > 0);
  stops.abort(new Error('the agent stops'));
  await expect(hanging).rejects.toThrow('the agent stops');
  await gone();
});
