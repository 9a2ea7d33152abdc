/** The sandbox's supervisor, with real processes that stand in for manager and agents. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isAlive, type ProcessId } from '../../../cli/sandbox/processes.ts';
import { createSupervisor, type Supervisor } from '../../../cli/sandbox/supervise.ts';
import { systemClock } from '../../../common/clock.ts';

const clock = systemClock;
const stayUp = [process.execPath, '-e', 'console.log("up"); setInterval(() => {}, 1000)'];
const deaf = [
  process.execPath,
  '-e',
  'process.on("SIGTERM", () => {}); console.log("deaf"); setInterval(() => {}, 1000)',
];

let folder: string;
let recorded: Record<string, ProcessId>;
let said: string[];
let supervisor: Supervisor;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-supervise-'));
  recorded = {};
  said = [];
  const record = async (running: Record<string, ProcessId>) => {
    recorded = running;
  };
  supervisor = createSupervisor({ clock, record, say: (line) => said.push(line), grace: 1000 });
});
afterEach(async () => {
  await supervisor.stop();
  rmSync(folder, { recursive: true });
});

const keep = (name: string, run: string[]) =>
  supervisor.keep({ name, run, log: join(folder, `${name}.log`) });
const other = (than: ProcessId | undefined) => {
  const now = supervisor.running().one;
  return now && now.pid !== than?.pid ? now : undefined;
};

describe('[2.9] the supervisor', () => {
  it('starts a killed process again, and its record names the new one', async () => {
    await keep('one', stayUp);
    const first = supervisor.running().one;
    expect(recorded.one).toEqual(first);
    process.kill(first!.pid, 'SIGKILL');
    await expect.poll(() => other(first), { timeout: 5000 }).toBeDefined();
    expect(isAlive(first!)).toBe(false);
    await expect.poll(() => recorded.one?.pid).toBe(supervisor.running().one?.pid);
    expect(said.join()).toContain('one ended (SIGKILL)');
  });

  it('waits longer each time for a process that keeps dying', async () => {
    await keep('one', [process.execPath, '-e', 'process.exit(3)']);
    await expect.poll(() => said.length, { timeout: 8000 }).toBeGreaterThanOrEqual(3);
    expect(said.slice(0, 3)).toEqual([
      'one ended (exit code 3); starting it again in 200 ms',
      'one ended (exit code 3); starting it again in 400 ms',
      'one ended (exit code 3); starting it again in 800 ms',
    ]);
    expect(supervisor.deaths().one).toBeGreaterThanOrEqual(3);
  });

  it('says so when a program does not exist, and goes on trying', async () => {
    await keep('one', [join(folder, 'missing')]);
    await expect.poll(() => said.length, { timeout: 5000 }).toBeGreaterThanOrEqual(2);
    expect(said[0]).toContain('ENOENT');
  });

  it('ends all that it keeps, and its record is empty then', async () => {
    await keep('one', stayUp);
    await keep('two', stayUp);
    const all = Object.values(supervisor.running());
    await supervisor.stop();
    expect(all.map(isAlive)).toEqual([false, false]);
    expect(recorded).toEqual({});
  });

  it('writes the output of a process to its log', async () => {
    await keep('one', stayUp);
    await expect.poll(() => readFileSync(join(folder, 'one.log'), 'utf8')).toBe('up\n');
  });

  it('kills a process that is deaf to a polite request', async () => {
    await keep('deaf', deaf);
    const process = supervisor.running().deaf!;
    await expect.poll(() => readFileSync(join(folder, 'deaf.log'), 'utf8')).toBe('deaf\n');
    await supervisor.stop();
    expect(isAlive(process)).toBe(false);
  });
});
