/** The driver of HAProxy keeps the contract, with a real HAProxy. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { createHaproxy, type Haproxy } from '../integration/haproxy-process.ts';
import { createWebNodes, freePort } from '../integration/web-nodes.ts';
import { type BalancerBench, byDriver, MEMBERS, promises } from './balancer.contract.ts';

let haproxy: Haproxy;
let folder: string;
let bench: BalancerBench;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-contract-'));
  const nodes = createWebNodes(MEMBERS, await freePort());
  haproxy = await createHaproxy({ folder, port: await freePort(), names: MEMBERS, nodes, fallbackPort: 9 });
  await haproxy.start();
  const { backend, driver, hand } = haproxy;
  const said = async (command: string) => {
    await hand(`set server ${backend}/${command}`);
  };
  bench = {
    ...byDriver(() => driver, backend),
    shows: async () => {
      const has = Object.entries(await haproxy.has());
      return Object.fromEntries(
        has.map(([name, state]) => [name, words[state] ?? state.replace('ready ', '')]),
      );
    },
    takeOut: () => said('n1 state maint'),
    weigh: () => said('n2 weight 7'),
    restart: async () => {
      await haproxy.stop();
      await haproxy.start();
    },
  };
});
afterAll(async () => {
  await haproxy.stop();
  await rm(folder, { recursive: true });
});

const words: Record<string, string> = { drain: '0', maint: 'out' };

describe('[3.2] the driver of HAProxy', () => {
  it.each(Object.keys(promises))('%s', async (title) => promises[title]?.(bench));
});
