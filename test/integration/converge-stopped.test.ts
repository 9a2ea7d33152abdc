/** An agent that was stopped for a while, as by a frozen machine: what it missed speaks against nobody. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { awaitLoaded } from '../../agent/converge/witness.ts';
import { systemClock } from '../../common/clock.ts';
import type { ResolvedLoaded } from '../../common/render/resolved.ts';
import { endOf, joined, spawnAgent } from '../support/agent-bundle.ts';
import { type Home, siteOf, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

const record = () => JSON.parse(readFileSync(join(home.unitFolder(), 'record.json'), 'utf8'));

it('[2 bad input] a tree is not given up because its agent stood still in the middle of its checks', async () => {
  const slow = await webPolicy((spec) => {
    spec.verify.deadline = '2s';
    spec.checks.push({
      name: 'slow',
      type: 'command',
      run: ['slow'],
      interval: '60s',
      timeout: '2s',
      fall: 2,
      rise: 2,
    });
  });
  home = await webHome();
  await home.declare(await siteOf(home, 'a.example'));
  const { digest } = await home.settled();
  await home.stop();
  await joined(home.folder);
  const marker = join(home.folder, 'marker');
  const script = join(home.folder, 'slow');
  writeFileSync(script, `#!/bin/sh\ntouch ${marker}\nsleep 1\n`, { mode: 0o755 });
  const config = join(home.paths.state, 'agent.json');
  const own = JSON.parse(readFileSync(config, 'utf8'));
  writeFileSync(config, JSON.stringify({ ...own, executables: { slow: script } }));
  await home.declareUnseen(slow, await siteOf(home, 'b.example'));

  const agent = spawnAgent(home.folder);
  await until('it checks', () => existsSync(marker));
  agent.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  rmSync(marker);
  agent.kill('SIGCONT');
  await until('the tree is good', () => ![null, digest].includes(record().good));
  expect(record()).toMatchObject({ refused: [], loaded: record().good });
  expect((await home.get('b.example')).body).toBe('b.example');
  const end = endOf(agent);
  agent.kill('SIGTERM');
  await end;
  await home.resume();
});

it('[2 bad input] a daemon is not doubted for the time in which nobody asked it', async () => {
  home = await webHome();
  await home.settled();
  let frozen = 0;
  const socket = join(home.folder, 'shown.sock');
  const server = createServer((_, answer) => answer.end(frozen > 0 ? 'the new one' : 'the old one'));
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const clock = { ...systemClock, monotonic: () => performance.now() + frozen };
  const loaded: ResolvedLoaded = {
    type: 'http',
    socket,
    path: '/',
    expect: 'the new one',
  };
  const { signal } = new AbortController();
  const shown = awaitLoaded(loaded, { deadline: 1_000, steady: 200, isAlive: () => true, clock, signal });
  await clock.sleep(60);
  frozen = 60_000;
  await shown;
  const never = { ...loaded, expect: 'another' };
  await expect(
    awaitLoaded(never, { deadline: 300, steady: 0, isAlive: () => true, clock, signal }),
  ).rejects.toMatchObject({ code: 'not-loaded' });
  server.close();
});
