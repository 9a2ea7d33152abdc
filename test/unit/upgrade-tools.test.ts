/** The bundle of a manager as an upgrade fetches it, over TLS from a real server that is too busy at first. */
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createUpgradeTools } from '../../agent/upgrade/tools.ts';
import { systemClock } from '../../common/clock.ts';
import { sha256 } from '../../common/digest.ts';
import { issueServer, makeAuthority } from '../../manager/pki/x509.ts';

let folder: string;
let server: Server;
let answers: number[];
let asked: number;
let waits: number[];
let fetch: (sum: string) => Promise<void>;

beforeEach(async () => {
  [answers, asked, waits] = [[], 0, []];
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-fetch-'));
  const authority = await makeAuthority(Date.now());
  const { certificate: cert, key } = await issueServer(authority, ['127.0.0.1'], Date.now(), 3_600_000);
  server = createServer({ cert, key, minVersion: 'TLSv1.3' }, (_, response) => {
    response.statusCode = answers[asked] ?? 200;
    asked += 1;
    response.end(response.statusCode === 200 ? 'bundle' : '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const clock = {
    ...systemClock,
    sleep: async (ms: number) => void waits.push(ms),
  };
  const manager = {
    address: '127.0.0.1',
    ports: { api: port },
    current: () => ({ ca: authority.certificate }),
  };
  fetch = (sum) => createUpgradeTools(manager, clock).fetch(join(folder, 'agent.tar.gz'), sum);
});
afterEach(async () => {
  server.close();
  await rm(folder, { recursive: true, force: true });
});

it('[4.6] a manager that is too busy is asked again, later each time, and what it gives at last is kept', async () => {
  answers = [503, 503];
  await fetch(sha256('bundle'));
  expect([await readFile(join(folder, 'agent.tar.gz'), 'utf8'), waits]).toEqual(['bundle', [5_000, 10_000]]);
});

it('[4.6] one that gives nothing is asked four times, and then it is an error', async () => {
  answers = [503, 503, 503, 503, 200];
  await expect(fetch(sha256('bundle'))).rejects.toMatchObject({ code: 'node-unreachable' });
  expect(asked).toBe(4);
});

it('[4.6] a bundle of another sum is refused at once', async () => {
  await expect(fetch('0'.repeat(64))).rejects.toMatchObject({ code: 'signature-invalid' });
  expect(asked).toBe(1);
});
