/** The example sites in the sandbox: the documents that an operator changes and applies fit what runs there. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readDocuments } from '../../../cli/documents.ts';
import { exampleDocuments, layOutSites } from '../../../cli/sandbox/examples.ts';
import { findProduct, layoutOf } from '../../../cli/sandbox/layout.ts';
import type { Settings } from '../../../cli/sandbox/settings.ts';

it('[2.1] var/sites.yaml declares what the sandbox has declared, with roots that exist; a changed one stays', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'evenkeel-examples-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const [layout, product] = [layoutOf(dir), findProduct()];
  await layOutSites(layout, product);
  const file = join(dir, 'sites.yaml');
  const { documents } = readDocuments([file]);
  const settings = { ports: { balancer: 1, web: 2 } } as unknown as Settings;
  expect([...documents, expect.objectContaining({ kind: 'VirtualService' })]).toEqual(
    await exampleDocuments(layout, product, settings),
  );
  for (const { spec } of documents as { spec: { root: string } }[])
    expect(existsSync(join(spec.root, 'index.html'))).toBe(true);
  writeFileSync(file, '# mine\n');
  await layOutSites(layout, product);
  expect(readFileSync(file, 'utf8')).toBe('# mine\n');
});
