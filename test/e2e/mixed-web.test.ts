/** A cluster of both web servers: one pool, the same sites, and a node that changes from one to the other under visitors. */
import { get } from 'node:http';
import { expect, it } from 'vitest';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();

/** Which server a node itself says that it is. */
const serverOf = (at: number) =>
  new Promise<string>((resolve) => {
    const { address = '', http = 0 } = sandbox().up().nodes[at] ?? {};
    get(
      { host: address, port: http, path: '/', headers: { host: 'shop.example' }, agent: false },
      (answer) => {
        answer.resume();
        resolve(String(answer.headers.server));
      },
    ).once('error', (err) => resolve(err.message));
  });

async function choose(webServer: string) {
  const { stdout } = await sandbox().cli(['get', 'nodes', 'n2', '-o', 'json']);
  const { name, spec } = JSON.parse(stdout) as { name: string; spec: { parameters: object } };
  const parameters = { ...spec.parameters, webServer };
  const document = JSON.stringify({ kind: 'Node', name, spec: { ...spec, parameters } });
  const applied = await sandbox().cli(['apply', '-f', '-'], document);
  expect(applied.code, applied.stdout + applied.stderr).toBe(0);
}

/** The nodes that answer through the balancer. */
async function answering(): Promise<string[]> {
  const seen = new Set<string>();
  for (let asked = 0; asked < 12; asked += 1) {
    const { status, node } = await sandbox().get('shop.example');
    if (status === 200) seen.add(String(node));
  }
  return [...seen].sort();
}

it('[4.8] a node that changes to Apache serves the same sites in the same pool beside nginx, and back', {
  timeout: 180_000,
}, async () => {
  const everybody = sandbox()
    .up()
    .nodes.map(({ name }) => name)
    .sort();
  expect(await serverOf(1)).toBe('nginx');
  for (const [choice, server] of [
    ['apache', 'Apache'],
    ['nginx', 'nginx'],
  ] as const) {
    await choose(choice);
    await expect.poll(() => serverOf(1), { timeout: 60_000, interval: 300 }).toBe(server);
    await expect.poll(answering, { timeout: 30_000, interval: 300 }).toEqual(everybody);
    expect(await serverOf(0)).toBe('nginx');
  }
});
