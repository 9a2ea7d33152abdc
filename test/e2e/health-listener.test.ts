/** What only a node itself sees takes it out of its pool, with and without the manager: real agents, nginx and HAProxy. */
import { rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();
const LONG = 120_000;
const ALL = ['n1', 'n2', 'n3'];

/**
 * A check of the pool that looks at a file on the node, while nginx serves whatever the file says. It is no pid file of a
 * daemon: those the sandbox would end.
 */
const documents = [
  { kind: 'Template', name: 'data.hbs', spec: { syntax: 'plain', text: 'data\n' } },
  {
    kind: 'Policy',
    name: 'web-data',
    spec: {
      role: 'web',
      files: [{ template: 'data.hbs', path: 'data.conf' }],
      checks: [
        {
          name: 'http',
          type: 'process',
          pidFile: '{{state}}/data.alive',
          interval: '200ms',
          fall: 2,
          rise: 2,
        },
      ],
    },
  },
];
const nodeAt = (index: number) => sandbox().up().nodes[index]!;
const pidFile = (index: number) => join(sandbox().path(nodeAt(index).root), 'state', 'data.alive');
const hurt = (index: number) => rmSync(pidFile(index));
const heal = (index: number) => writeFileSync(pidFile(index), `${process.pid}\n`);

beforeAll(async () => {
  for (const index of ALL.keys()) heal(index);
  await sandbox().client().call('apply', { body: { documents } });
  // Members fail again and again here, and that is not what is to be seen.
  const web = { kind: 'VirtualService', name: 'web' } as const;
  await sandbox()
    .client()
    .call('patch', { params: web, body: { spec: { pool: { holdDown: { first: '0s' } } } } });
  await until('the node answers', async () => (await healthOf(0, 'web')) === '200 up', 15_000);
}, LONG);
const stopped: number[] = [];
const freeze = (pid: number) => {
  process.kill(pid, 'SIGSTOP');
  stopped.push(pid);
};
const thawAll = () => {
  for (const pid of stopped.splice(0)) process.kill(pid, 'SIGCONT');
};
afterEach(async () => {
  thawAll();
  for (const index of ALL.keys()) heal(index);
  await serve(ALL);
});

const text = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = get(url, { agent: false, timeout: 3_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.once('end', () => resolve(`${response.statusCode} ${body.trim()}`));
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer')));
    sent.once('error', reject);
  });
let port: number | undefined;
const healthPort = async () => {
  const { spec } = await sandbox()
    .client()
    .call('get', { params: { kind: 'Cluster', name: 'cluster' } });
  return (spec as { health: { port: number } }).health.port;
};
const healthOf = async (index: number, name: string) => {
  port ??= await healthPort();
  return text(`http://${nodeAt(index).address}:${port}/health/${name}`);
};

/** Who answers through the balancer; everybody who is asked must. */
async function serving(): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: 15 }, () => sandbox().get('example.org')));
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  return [...new Set(answers.map(({ node }) => node ?? ''))].sort();
}
const serve = (names: string[]) =>
  until(`${names} serve`, async () => (await serving()).join() === names.join(), 30_000);
const portStillAnswers = async (index: number) => {
  const { address, http } = nodeAt(index);
  expect(await text(`http://${address}:${http}/.evenkeel/alive`)).toMatch(/^200/);
};

describe('[3.6] a check that only the node sees', () => {
  it('takes the node out while the manager is there, and its listener says why', {
    timeout: LONG,
  }, async () => {
    hurt(1);
    await serve(['n1', 'n3']);
    expect(await healthOf(1, 'web')).toBe('503 web-data/http is down');
    expect(await healthOf(0, 'web')).toBe('200 up');
    await portStillAnswers(1);
    heal(1);
    await serve(ALL);
  });

  it('takes the node out and in again while the manager is gone', { timeout: LONG }, async () => {
    freeze(sandbox().up().pid!);
    hurt(2);
    await serve(['n1', 'n2']);
    await portStillAnswers(2);
    heal(2);
    await serve(ALL);
  });

  it('on all nodes at once takes nobody, while the manager is gone', { timeout: LONG }, async () => {
    freeze(sandbox().up().pid!);
    // Until the word of the manager has lapsed and the nodes are asked.
    hurt(0);
    await serve(['n2', 'n3']);
    heal(0);
    await serve(ALL);
    for (const index of ALL.keys()) hurt(index);
    // Who is heard first may be out for a moment, until the others are heard.
    for (let look = 0; look < 15; look += 1) {
      expect((await serving()).length).toBeGreaterThanOrEqual(2);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(await healthOf(2, 'web')).toMatch(/^503/);
    await serve(ALL);
    for (let look = 0; look < 12; look += 1) {
      expect(await serving()).toEqual(ALL);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  });

  it('is not guessed from a listener that is silent', { timeout: LONG }, async () => {
    freeze(sandbox().up().pid!);
    freeze(nodeAt(0).pid.agent!);
    await expect(healthOf(0, 'web')).rejects.toThrow('no answer');
    hurt(1);
    await serve(['n1', 'n3']);
    for (let look = 0; look < 12; look += 1) {
      expect(await serving()).toEqual(['n1', 'n3']);
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  });
});

describe('[3.6] the operator', () => {
  it('is heard by whoever asks the node: drain and maintenance are 503 with the word', {
    timeout: LONG,
  }, async () => {
    for (const [verb, word] of [
      ['drain', 'draining'],
      ['maintenance', 'maintenance'],
    ] as const) {
      await sandbox()
        .client()
        .call(verb, { params: { name: 'n1' }, body: { reason: 'a new disk' } });
      await expect.poll(() => healthOf(0, 'web'), { timeout: 10_000 }).toBe(`503 ${word}`);
      expect(await healthOf(0, 'process')).toBe(`503 ${word}`);
      await sandbox()
        .client()
        .call('undrain', { params: { name: 'n1' } });
      await expect.poll(() => healthOf(0, 'web'), { timeout: 10_000 }).toBe('200 up');
    }
  });
});
