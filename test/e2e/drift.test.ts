/** A file edited by hand on a node is put back; who keeps editing it is told of, and so is the operator. */
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { EventLine } from '../../protocol/views.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();

/** The live file of n1 in which the site stands. */
function fileOf(site: string): string {
  const root = sandbox().path(sandbox().up().nodes[0]?.root ?? '');
  const units = join(root, 'state', 'units');
  const files = readdirSync(units, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath.includes('/files') && entry.name.endsWith('.conf'))
    .map((entry) => join(entry.parentPath, entry.name));
  const found = files.find((file) => readFileSync(file, 'utf8').includes(site));
  expect(found, `no live file of ${root} names ${site}`).toBeDefined();
  return found as string;
}

async function events(type: string): Promise<EventLine[]> {
  const { stdout, stderr, code } = await sandbox().cli([
    'events',
    '-o',
    'json',
    '--node',
    'n1',
    '--type',
    type,
  ]);
  expect(code, stderr).toBe(0);
  const lines = stdout.trim().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as EventLine);
}

it('[2.5] a vhost edited by hand is put back with its diff in the events, and the fourth time a fight is raised', {
  timeout: 120_000,
}, async () => {
  const file = fileOf('shop.example');
  const right = readFileSync(file, 'utf8');
  for (let time = 1; time <= 4; time += 1) {
    appendFileSync(file, `# edited by hand, ${time}\n`);
    await expect.poll(() => readFileSync(file, 'utf8'), { timeout: 15_000, interval: 20 }).toBe(right);
    const drift = () => events('drift');
    await expect.poll(async () => (await drift()).length, { timeout: 10_000 }).toBe(time);
    expect(JSON.stringify((await drift()).map(({ data }) => data))).toContain(`edited by hand, ${time}`);
  }
  await expect.poll(async () => (await events('fight')).length, { timeout: 10_000 }).toBe(1);
  expect((await sandbox().get('shop.example')).status).toBe(200);
});
