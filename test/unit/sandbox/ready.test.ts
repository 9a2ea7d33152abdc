/** When a sandbox is up: by what its nodes say of themselves. */
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { marksOf, troubleSince } from '../../../cli/sandbox/logs.ts';
import { heldOn, nodesServe } from '../../../cli/sandbox/ready.ts';
import { systemClock } from '../../../common/clock.ts';
import type { NodeView } from '../../../protocol/views.ts';

const item = { kind: 'Site', name: 'bad.example', serving: 'nothing' as const, reason: 'no certificate' };
const at = '2026-01-01T00:00:00Z';
const holding = (more: Partial<NodeView> = {}): NodeView => ({
  ...{ name: 'n1', roles: ['web'], address: '127.0.0.11', state: 'active', online: true, lastSeen: at },
  ...{
    version: '',
    release: '',
    does: '',
    mode: 'enforce',
    converged: false,
    behind: [],
    alarms: [],
    queue: { state: 'empty', waiting: 0, action: '' },
    certificateExpires: null,
  },
  units: [{ unit: 'web', result: 'held', digest: 'd', revisions: {}, held: [item], at, timing: {} }],
  checks: [{ unit: 'web', check: 'process', state: 'up', detail: '', since: at }],
  ...more,
});
const awaited = (node: NodeView, deadline: number) =>
  nodesServe({ nodes: async () => [node] }, ['n1'], { clock: systemClock, deadline });

it('[2.9] a node that holds a site back and serves the rest is up, and the site is named', async () => {
  const [node] = await awaited(holding(), 3000);
  expect(node && heldOn(node)).toEqual(['Site/bad.example is held back: no certificate']);
});

it('[2.9] one that serves nothing, or is not connected, is not; the words name node, site and cause', async () => {
  const check = { unit: 'web', check: 'process', state: 'down', detail: 'process 7 has ended', since: at };
  await expect(awaited(holding({ checks: [check] }), 1300)).rejects.toThrow(
    'n1 does not serve: web held, web/process is down: process 7 has ended, Site/bad.example is held back: no certificate',
  );
  await expect(awaited(holding({ online: false }), 0)).rejects.toThrow('n1 is not connected');
  await expect(awaited(holding({ behind: ['role/web'] }), 1300)).rejects.toThrow('has not received role/web');
});

it('[2.9] of the logs only what was written since is shown, in words, and at most 15 lines', () => {
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-logs-'));
  const log = join(folder, 'n1.log');
  const line = (level: number, msg: string) =>
    `${JSON.stringify({ level, time: '2026-01-01T10:00:00.000Z', pid: 1, hostname: 'h', name: 'a', msg, unit: 'web' })}\n`;
  writeFileSync(log, line(50, 'long ago'));
  const marks = marksOf([log, join(folder, 'lb.log')]);
  appendFileSync(log, `${line(30, 'all is well') + line(40, 'not so well')}Error: plain words\n`);
  expect(troubleSince(marks)).toEqual(['n1: 10:00:00 not so well unit=web', 'n1: Error: plain words']);
  appendFileSync(log, line(50, 'again').repeat(100));
  expect(troubleSince(marks).length).toBeLessThanOrEqual(15);
  rmSync(folder, { recursive: true });
});
