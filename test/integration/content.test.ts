/** What a release ships reaches a cluster that exists: printed by the manager's program, declared as anything else. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadShipped } from '../../manager/shipped.ts';
import { parseResource } from '../../protocol/resource.ts';

const checkout = join(import.meta.dirname, '..', '..');

it('[4.6] the policies and templates of a release are printed so that apply takes them, to the last byte', async () => {
  const words = [join(checkout, 'dist', 'manager.js'), 'content', '--content', checkout];
  const text = execFileSync(process.execPath, words, { encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 });
  const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown);
  const parsed = documents.map((document) => parseResource(document, ''));
  expect(parsed.map((one) => one.ok && one.resource)).toEqual(await loadShipped(checkout));
});
