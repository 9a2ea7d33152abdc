/** A thousand sites in one file, and each of them on each node. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { NodeView } from '../../protocol/views.ts';
import type { Answer } from '../support/sandbox.ts';
import { useSandbox } from '../support/use-sandbox.ts';

const sandbox = useSandbox();
const SITES = 1000;
const names = Array.from({ length: SITES }, (_, at) => `site-${at}.example`);
const nodes = ['n1', 'n2', 'n3'];

function writeSites(): string {
  const documents = names.map((name) => {
    const root = join(sandbox().dir, 'sites', name);
    mkdirSync(root, { recursive: true });
    writeFileSync(join(root, 'index.html'), `the body of ${name}\n`);
    return `kind: Site\nname: ${name}\nspec: {root: ${root}}\n`;
  });
  const file = join(sandbox().dir, 'thousand.yaml');
  writeFileSync(file, documents.join('---\n'));
  return file;
}

const isMissing = (name: string, pairs: Set<string>) => nodes.some((node) => !pairs.has(`${name} ${node}`));

/** Asks until every node has answered for the site; returns every answer that was not right. */
async function askAllNodes(name: string, pairs: Set<string>): Promise<Answer[]> {
  const wrong: Answer[] = [];
  for (let tries = 0; tries < 10 && isMissing(name, pairs); tries += 1) {
    const answer = await sandbox().get(name);
    if (answer.status === 200 && answer.body === `the body of ${name}\n`) pairs.add(`${name} ${answer.node}`);
    else wrong.push(answer);
  }
  return wrong;
}

it('[2.9] a thousand sites in one apply answer on every node with their own body', {
  timeout: 240_000,
}, async () => {
  const applied = await sandbox().cli(['apply', '-f', writeSites()]);
  expect(applied.code, applied.stderr).toBe(0);
  await expect.poll(views, { timeout: 60_000, interval: 300 }).toEqual(nodes);

  const pairs = new Set<string>();
  const wrong: Answer[] = [];
  for (let at = 0; at < SITES; at += 20)
    wrong.push(
      ...(await Promise.all(names.slice(at, at + 20).map((name) => askAllNodes(name, pairs)))).flat(),
    );
  // Several that ask in step, taken in turn, can each meet the same node every time; one alone cannot.
  for (const name of names.filter((one) => isMissing(one, pairs)))
    wrong.push(...(await askAllNodes(name, pairs)));
  expect(wrong).toEqual([]);
  expect(pairs.size).toBe(SITES * nodes.length);

  const report = await unitOf('n1');
  expect(Object.keys(report?.timing ?? {})).toEqual(
    expect.arrayContaining(['render', 'plan', 'stage', 'validate', 'activate', 'reload', 'verify']),
  );
  process.stdout.write(`1,000 sites on n1, milliseconds a step: ${JSON.stringify(report?.timing)}\n`);
});

async function allViews(): Promise<NodeView[]> {
  const { stdout } = await sandbox().cli(['nodes', '-o', 'json']);
  return JSON.parse(stdout) as NodeView[];
}

const views = async () =>
  (await allViews())
    .filter(({ name, converged }) => nodes.includes(name) && converged)
    .map(({ name }) => name);

const unitOf = async (name: string) =>
  (await allViews()).find((node) => node.name === name)?.units.find(({ unit }) => unit === 'web-nginx');
