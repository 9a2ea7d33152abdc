/** Who a process is, which daemons belong to a node, and the lock that its holder's death frees. */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { daemonOf, daemonsOf, end, identify, isAlive } from '../../../cli/sandbox/processes.ts';
import { systemClock } from '../../../common/clock.ts';
import { sha256 } from '../../../common/digest.ts';
import { takeLock } from '../../../common/lock.ts';
import { processOf } from '../../../common/processes.ts';

let folder: string;
let started: ChildProcess[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-processes-'));
  mkdirSync(join(folder, 'run'));
  started = [];
});
afterEach(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const start = (script: string, detached = false) => {
  const child = spawn(process.execPath, ['-e', script], { detached, stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  return child;
};
const firstLine = (child: ChildProcess) =>
  new Promise<string>((resolve) => child.stdout!.once('data', (data) => resolve(String(data).trim())));
const stay = 'setInterval(() => {}, 1000);';
const node = () => ({ root: folder, run: join(folder, 'run') });
const pidFile = (pid: number) => {
  const file = join(folder, 'run', 'daemon.pid');
  writeFileSync(file, `${pid}\n`);
  return file;
};

describe('[2.9] a process', () => {
  it('is told from another one that has got its pid', () => {
    const child = identify(start(stay).pid!)!;
    expect(isAlive(child)).toBe(true);
    expect(isAlive({ ...child, started: `${child.started}0` })).toBe(false);
  });

  it('is not ended when only the pid is the same', async () => {
    const child = identify(start(stay).pid!)!;
    await end([{ ...child, started: 'another boot:1' }], systemClock, 200);
    expect(isAlive(child)).toBe(true);
    expect(await end([child], systemClock)).toEqual([]);
    expect(isAlive(child)).toBe(false);
  });
});

describe('[2.9] the daemons of a node', () => {
  it('are those that its pid files name', () => {
    const { pid } = start(stay);
    expect(daemonOf(pidFile(pid!))).toEqual(identify(pid!));
    expect(daemonsOf(node()).map((daemon) => daemon.pid)).toEqual([pid]);
  });

  it('are not processes that started after the pid file was written', () => {
    const file = pidFile(start(stay).pid!);
    utimesSync(file, new Date(0), new Date(0));
    expect(daemonOf(file)).toBeUndefined();
    expect(daemonsOf(node())).toEqual([]);
  });

  it('are also the workers that outlived a killed master, and nobody else of its session', async () => {
    const open = `require('node:fs').openSync(${JSON.stringify(join(folder, 'open.log'))}, 'a');`;
    const worker = (text: string) => `spawn(process.execPath, ['-e', ${JSON.stringify(text + stay)}]).pid`;
    const master = start(
      `const { spawn } = require('node:child_process');
       console.log(${worker(open)} + ' ' + ${worker('')}); ${stay}`,
      true,
    );
    const [withFile, without] = (await firstLine(master)).split(' ').map(Number);
    pidFile(master.pid!);
    master.kill('SIGKILL');
    await expect.poll(() => daemonsOf(node()).map((daemon) => daemon.pid)).toEqual([withFile]);
    await end([identify(withFile!)!, identify(without!)!], systemClock);
  });
});

describe('[2.9] the lock of a folder', () => {
  const take = () => takeLock('sandbox', folder);
  const files = () => readdirSync(folder).filter((name) => name.startsWith('sandbox.lock'));

  it('has one holder, and is free again when given back', async () => {
    const release = await take();
    expect(await take()).toBeUndefined();
    await release!();
    const again = await take();
    expect(again).toBeDefined();
    await again!();
  });

  it('is a file that says who holds it, and that nobody else may touch', async () => {
    await take();
    const file = join(folder, files()[0]!);
    const { pid, started: since } = processOf(process.pid)!;
    expect(readFileSync(file, 'utf8')).toBe(`${pid} ${since}\n`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('cannot be held by who only knows the name of the folder', async () => {
    const squatter = createServer();
    const name = `\0evenkeel-sandbox-${sha256(realpathSync(folder))}`;
    await new Promise<void>((resolve) => squatter.listen(name, resolve));
    try {
      expect(await take()).toBeDefined();
    } finally {
      squatter.close();
    }
  });

  it('is free when its holder was killed, or when only the pid is the same', async () => {
    const child = start(stay);
    const { pid, started: since } = processOf(child.pid!)!;
    const held = join(folder, 'sandbox.lock.1');
    writeFileSync(held, `${pid} ${since}\n`);
    expect(await take()).toBeUndefined();
    writeFileSync(held, `${pid} ${since + 1}\n`);
    const release = await take();
    expect(release).toBeDefined();
    await release!();
    writeFileSync(join(folder, files()[0]!), `${pid} ${since}\n`);
    expect(await take()).toBeUndefined();
    child.kill('SIGKILL');
    await expect.poll(take).toBeDefined();
    expect(files()).toHaveLength(1);
  });

  it('that a dead process holds goes to one alone of many starters', async () => {
    writeFileSync(join(folder, 'sandbox.lock.1'), '4194304 1\n');
    const won = await Promise.all(Array.from({ length: 50 }, take));
    expect(won.filter((release) => release !== undefined)).toHaveLength(1);
    expect(files()).toHaveLength(1);
  });

  it('is not taken by who found it free long ago, when others have held it since', async () => {
    writeFileSync(join(folder, 'sandbox.lock.1'), '4194304 1\n');
    const slow = take();
    await expect.poll(() => readdirSync(folder).join(), { interval: 0 }).toContain('lock.new-');
    const { pid, started: since } = processOf(process.pid)!;
    rmSync(join(folder, 'sandbox.lock.1'));
    writeFileSync(join(folder, 'sandbox.lock.3'), `${pid} ${since}\n`);
    expect(await slow).toBeUndefined();
    expect(files()).toEqual(['sandbox.lock.3']);
  });
});
