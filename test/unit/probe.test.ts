/** Checks against real sockets, processes and files, and the pace at which probes run them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { createRunCheck, type RunCheck } from '../../agent/probe/check.ts';
import { createMountCheck } from '../../agent/probe/mount.ts';
import { createProbes } from '../../agent/probe/probes.ts';
import { runChecks } from '../../agent/probe/verify.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { createManualClock } from '../support/clock.ts';
import { until } from '../support/until.ts';

const log = createLog('test', 'silent');
const timing = { name: 'check', interval: 1000, timeout: 500, fall: 2, rise: 3 };
const never = new AbortController().signal;
const runCheck = createRunCheck({ clock: systemClock, resolve: (command) => [...command] });
const run = (check: ResolvedCheck, how: RunCheck = runCheck) => how(check, { signal: never });

let folder: string;
let undo: (() => Promise<unknown> | unknown)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-probe-'));
});
afterEach(async () => {
  for (const act of undo.reverse()) await act();
  undo = [];
  await rm(folder, { recursive: true });
});

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

async function web(answer: RequestListener): Promise<number> {
  const server = createHttpServer(answer);
  const port = await listening(server);
  undo.push(() => server.closeAllConnections());
  return port;
}

const http = (port: number, more: Partial<Extract<ResolvedCheck, { type: 'http' }>> = {}): ResolvedCheck => ({
  ...timing,
  type: 'http',
  address: '127.0.0.1',
  port,
  path: '/alive',
  status: [200],
  ...more,
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('[2.7] the tcp check', () => {
  it('passes while something listens, and fails when nothing does', async () => {
    const server = createServer();
    const port = await listening(server);
    const check: ResolvedCheck = { ...timing, type: 'tcp', address: '127.0.0.1', port };
    expect(await run(check)).toMatchObject({ ok: true });
    await new Promise((resolve) => server.close(resolve));
    expect(await run(check)).toMatchObject({ ok: false, detail: expect.stringContaining('ECONNREFUSED') });
  });
});

describe('[2.7] the http check', () => {
  it('asks for the host and path it is given, and judges the status', async () => {
    const asked: string[] = [];
    const port = await web((request, response) => {
      asked.push(`${request.headers.host} ${request.url}`);
      response.writeHead(request.url === '/alive' ? 200 : 404).end('well');
    });
    expect(await run(http(port, { host: 'example.org' }))).toMatchObject({ ok: true });
    expect(await run(http(port, { path: '/gone' }))).toEqual({
      ok: false,
      detail: 'answered 404, wanted 200',
    });
    expect(await run(http(port, { path: '/gone', status: [200, 404] }))).toMatchObject({ ok: true });
    expect(asked[0]).toBe('example.org /alive');
  });

  it('judges the body, of which it reads no more than a bounded part', async () => {
    const port = await web((_, response) => {
      response.write('evenkeel is well');
      const more = setInterval(() => response.write('x'.repeat(65_536)), 1);
      response.on('close', () => clearInterval(more));
    });
    expect(await run(http(port, { body: /is well/ }))).toMatchObject({ ok: true });
    expect(await run(http(port, { body: /is ill/ }))).toMatchObject({ ok: false });
  });

  it('fails within its timeout against a server that says nothing', async () => {
    const port = await listening(createServer((socket) => void undo.push(() => socket.destroy())));
    const began = performance.now();
    expect(await run(http(port, { timeout: 100 }))).toEqual({ ok: false, detail: 'no answer within 100 ms' });
    expect(performance.now() - began).toBeLessThan(2000);
  });

  it('does not blame the other side for the time in which this process was busy', async () => {
    const port = await web((_, response) => response.end());
    const asked = run(http(port, { timeout: 100 }));
    const free = performance.now() + 300;
    while (performance.now() < free);
    expect(await asked).toMatchObject({ ok: true });
  });
});

describe('[2.7] the process check', () => {
  const check = (): ResolvedCheck => ({ ...timing, type: 'process', pidFile: join(folder, 'pid') });

  it('passes for a living process, and fails without a pid file or when the process has gone', async () => {
    expect(await run(check())).toMatchObject({ ok: false });
    const child = spawn('sleep', ['60']);
    await writeFile(join(folder, 'pid'), `${child.pid}\n`);
    expect(await run(check())).toMatchObject({ ok: true });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await run(check())).toMatchObject({ ok: false, detail: expect.stringContaining('is gone') });
  });

  it('does not take another process with the same pid for it when the start time is known', async () => {
    const stat = await readFile('/proc/self/stat', 'utf8');
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    await writeFile(join(folder, 'pid'), `${process.pid} ${started}`);
    expect(await run(check())).toMatchObject({ ok: true });
    await writeFile(join(folder, 'pid'), `${process.pid} 1`);
    expect(await run(check())).toMatchObject({ ok: false });
  });

  it('fails for a pid file that holds anything else', async () => {
    await writeFile(join(folder, 'pid'), '../../etc');
    expect(await run(check())).toMatchObject({ ok: false, detail: expect.stringContaining('no pid') });
  });
});

describe('[2.7] the command check', () => {
  const command = (run: string[], timeout = 2000): ResolvedCheck => ({
    ...timing,
    type: 'command',
    run,
    timeout,
  });

  it('passes with status 0, and shows what a failing command said', async () => {
    expect(await run(command(['true']))).toMatchObject({ ok: true });
    const ill = await run(command(['sh', '-c', 'echo the disk is full >&2; exit 3']));
    expect(ill).toEqual({ ok: false, detail: 'ended with status 3: the disk is full' });
    expect(await run(command(['/no/such/command']))).toMatchObject({ ok: false });
  });

  it('is killed with everything that it started when its time is over', async () => {
    const pids = join(folder, 'pids');
    const script = `sleep 60 & echo $! > ${pids}; echo $$ >> ${pids}; wait`;
    expect(await run(command(['sh', '-c', script], 300))).toMatchObject({ ok: false });
    const started = (await readFile(pids, 'utf8')).trim().split('\n').map(Number);
    expect(started).toHaveLength(2);
    await until('all of it is gone', () => !started.some(isAlive));
  });

  it('is not run when the executable is not on the list of the box', async () => {
    const made = join(folder, 'made');
    const { resolve } = createExecutables({ true: '/bin/true' });
    const listed = createRunCheck({ clock: systemClock, resolve });
    expect(await run(command(['true']), listed)).toMatchObject({ ok: true });
    expect(await run(command(['touch', made]), listed)).toMatchObject({ ok: false });
    await expect(readFile(made)).rejects.toThrow('ENOENT');
  });

  it('runs what the list of the box means by a name, and not what else has it', async () => {
    const { resolve } = createExecutables({ true: '/bin/false' });
    const listed = createRunCheck({ clock: systemClock, resolve });
    expect(await run(command(['true']), listed)).toMatchObject({ ok: false });
  });
});

describe('[2.7] the mount check', () => {
  const mounted = (path: string, timeout = 2000): ResolvedCheck => ({
    ...timing,
    type: 'mount',
    path,
    timeout,
  });

  it('passes for a mount point that answers, and fails for a plain folder', async () => {
    expect(await run(mounted('/proc'))).toMatchObject({ ok: true });
    expect(await run(mounted(folder))).toEqual({ ok: false, detail: `${folder} is not mounted` });
  });

  it('that hangs fails in time, and what hung is gone', async () => {
    const pid = join(folder, 'pid');
    const hang = createMountCheck(['sh', '-c', `echo $$ > ${pid}; exec sleep 60`]);
    const hanging = createRunCheck({ clock: systemClock, resolve: (command) => [...command], mount: hang });
    const began = performance.now();
    expect(await run(mounted('/proc', 300), hanging)).toEqual({
      ok: false,
      detail: 'no answer within 300 ms',
    });
    expect(performance.now() - began).toBeLessThan(2000);
    const hung = Number(await readFile(pid, 'utf8'));
    await until('what hung is gone', () => !isAlive(hung));
  });

  it('sends no second stat after one that not even SIGKILL has ended', async () => {
    let sent = 0;
    let end = () => {};
    const gone = new Promise<void>((resolve) => {
      end = resolve;
    });
    const mount = createMountCheck(['stat'], () => {
      sent += 1;
      return { ended: new Promise(() => {}), gone };
    });
    const stuck = createRunCheck({ clock: systemClock, resolve: (command) => [...command], mount });
    await run(mounted('/proc', 50), stuck);
    expect(await run(mounted('/proc', 50), stuck)).toEqual({
      ok: false,
      detail: 'a stat of /proc still hangs',
    });
    expect(sent).toBe(1);
    end();
    await gone;
    await run(mounted('/proc', 50), stuck);
    expect(sent).toBe(2);
  });
});

describe('[2.7] verify', () => {
  it('passes as soon as every check has passed once, however often they failed before', async () => {
    let asked = 0;
    const port = await web((_, response) => {
      asked += 1;
      response.writeHead(asked < 3 ? 503 : 200).end();
    });
    const options = { deadline: 5000, runCheck, clock: systemClock, signal: never };
    expect(await runChecks([http(port)], options)).toEqual({ ok: true, failures: [] });
    expect(asked).toBe(3);
  });

  it('names what never passed, within its deadline', async () => {
    const port = await web((_, response) => response.writeHead(503).end());
    const good = await web((_, response) => response.end());
    const checks = [http(port, { name: 'ill' }), http(good, { name: 'well' })];
    const began = performance.now();
    const result = await runChecks(checks, { deadline: 400, runCheck, clock: systemClock, signal: never });
    expect(result).toEqual({ ok: false, failures: [{ check: 'ill', detail: 'answered 503, wanted 200' }] });
    expect(performance.now() - began).toBeLessThan(3000);
  });

  it('passes where there is nothing to check', async () => {
    const options = { deadline: 1, runCheck, clock: systemClock, signal: never };
    expect(await runChecks([], options)).toEqual({ ok: true, failures: [] });
  });
});

describe('[2.7] probes', () => {
  const tcp = (name: string, more: Partial<ResolvedCheck> = {}): ResolvedCheck =>
    ({ ...timing, type: 'tcp', address: '127.0.0.1', port: 1, name, ...more }) as ResolvedCheck;

  /** Probes whose answers the test gives, on a clock that it moves. */
  function driven(options: { width?: number } = {}) {
    const clock = createManualClock();
    const answers = new Map<string, boolean>();
    const runs: { name: string; at: number }[] = [];
    const said: string[] = [];
    const running = { now: 0, most: 0, lasts: 0 };
    const answer: RunCheck = async (check, { signal }) => {
      runs.push({ name: check.name, at: clock.monotonic() });
      running.now += 1;
      running.most = Math.max(running.most, running.now);
      if (running.lasts > 0) await clock.sleep(running.lasts, signal);
      running.now -= 1;
      const ok = answers.get(check.name) ?? true;
      return { ok, detail: ok ? 'well' : 'ill' };
    };
    const probes = createProbes({ clock, log, runCheck: answer, random: () => 0.5, ...options });
    probes.onChange((unit, check, state, detail) => said.push(`${unit}/${check} ${state} ${detail}`));
    undo.push(() => probes.stop());
    return { clock, probes, answers, runs, said, running };
  }

  it('say a state only when it changes, after rise good and fall bad runs', async () => {
    const { clock, probes, answers, said } = driven();
    probes.set('web', [tcp('http')]);
    await clock.advance(10_000);
    expect(said).toEqual(['web/http up well']);
    answers.set('http', false);
    await clock.advance(1000);
    expect(said).toHaveLength(1);
    await clock.advance(1000);
    expect(said).toEqual(['web/http up well', 'web/http down ill']);
    expect(probes.current()).toMatchObject([{ unit: 'web', check: 'http', state: 'down', detail: 'ill' }]);
  });

  it('never overlap, however long a run takes', async () => {
    const { clock, probes, running, runs } = driven();
    running.lasts = 3500;
    probes.set('web', [tcp('slow')]);
    await clock.advance(20_000);
    expect(running.most).toBe(1);
    expect(runs.length).toBeGreaterThan(3);
  });

  it('run no more at once than they are allowed', async () => {
    const { clock, probes, running, runs } = driven({ width: 4 });
    running.lasts = 100;
    probes.set(
      'web',
      Array.from({ length: 20 }, (_, index) => tcp(`c${index}`)),
    );
    await clock.advance(3000);
    expect(running.most).toBe(4);
    expect(new Set(runs.map(({ name }) => name)).size).toBe(20);
  });

  it('go at half the interval for a while when they are hurried', async () => {
    const { clock, probes, runs } = driven();
    probes.set('web', [tcp('http')]);
    await clock.advance(10_000);
    const before = runs.length;
    probes.hurry(5000);
    await clock.advance(5000);
    const hurried = runs.length - before;
    expect(hurried).toBeGreaterThanOrEqual(10);
    await clock.advance(10_000);
    expect(runs.length - before - hurried).toBeLessThanOrEqual(11);
  });

  it('keep the state of a check that stays the same, and begin anew with one that changed', async () => {
    const { clock, probes, said } = driven();
    probes.set('web', [tcp('a'), tcp('b')]);
    await clock.advance(5000);
    probes.set('web', [tcp('a'), tcp('b', { interval: 2000 })]);
    expect(probes.current().map(({ check, state }) => `${check} ${state}`)).toEqual(['a up', 'b unknown']);
    expect(said.at(-1)).toBe('web/b unknown ');
    probes.set('web', []);
    expect(probes.current()).toEqual([]);
    const count = said.length;
    await clock.advance(10_000);
    expect(said).toHaveLength(count);
  });

  it('can begin at down, so that what is new must first prove itself', async () => {
    const { clock, probes, said } = driven();
    probes.set('web', [tcp('new')], () => 'down');
    expect(probes.current()).toMatchObject([{ state: 'down' }]);
    await clock.advance(2000);
    expect(said).toEqual([]);
    await clock.advance(2000);
    expect(said).toEqual(['web/new up well']);
  });
});
