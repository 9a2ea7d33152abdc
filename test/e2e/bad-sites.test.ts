/** Two bad sites among a hundred new ones: the good ones are live, the bad ones held back until they are mended. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { NodeView } from '../../protocol/views.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();
const names = Array.from({ length: 100 }, (_, at) => `site-${at}.example`);
const bad = ['site-17.example', 'site-61.example'];
const good = names.filter((name) => !bad.includes(name));
const missing = '/nowhere/evenkeel/certificate.pem';

const site = (name: string, spec: Record<string, unknown> = {}) => {
  const root = join(sandbox().dir, 'sites', name);
  mkdirSync(root, { recursive: true });
  writeFileSync(join(root, 'index.html'), name);
  return { kind: 'Site', name, spec: { root, ...spec } };
};
const withBadCertificate = (name: string) => site(name, { tls: { certificate: missing, key: missing } });

async function apply(documents: unknown[]): Promise<void> {
  const ran = await sandbox().cli(
    ['apply', '-f', '-'],
    documents.map((one) => JSON.stringify(one)).join('\n---\n'),
  );
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
}

/** What every node holds back, as `node site`, and why. */
async function heldBack(): Promise<Map<string, string>> {
  const { stdout } = await sandbox().cli(['nodes', '-o', 'json']);
  const nodes = JSON.parse(stdout) as NodeView[];
  return new Map(
    nodes.flatMap(({ name, units }) =>
      units.flatMap(({ held }) => held.map((item) => [`${name} ${item.name}`, item.reason] as const)),
    ),
  );
}

/** The sites whose own body does not come back from three requests, one for each node in turn. */
async function notLive(among: string[]): Promise<string[]> {
  const dead = new Set<string>();
  for (const name of among)
    for (const _ of ['n1', 'n2', 'n3']) {
      const { status, body } = await sandbox().get(name);
      if (status !== 200 || body !== name) dead.add(name);
    }
  return [...dead];
}

it('[2.5] two bad sites among a hundred are held back with the words of nginx, and mended they go live', {
  timeout: 180_000,
}, async () => {
  await apply(names.map((name) => (bad.includes(name) ? withBadCertificate(name) : site(name))));
  const everywhere = ['n1', 'n2', 'n3'].flatMap((node) => bad.map((name) => `${node} ${name}`)).sort();
  await expect
    .poll(async () => [...(await heldBack()).keys()].sort(), { timeout: 60_000 })
    .toEqual(everywhere);
  for (const reason of (await heldBack()).values()) {
    expect(reason).toContain('cannot load certificate');
    expect(reason).toContain(missing);
  }
  await expect.poll(() => notLive(good), { timeout: 30_000 }).toEqual([]);

  await apply(bad.map((name) => site(name)));
  await expect.poll(() => notLive(names), { timeout: 60_000 }).toEqual([]);
  await expect.poll(async () => (await heldBack()).size, { timeout: 30_000 }).toBe(0);
});
