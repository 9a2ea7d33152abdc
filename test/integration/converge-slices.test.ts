/** Thousands of resources at once: what is calculated lets beats have their turn, and what arrives meanwhile counts the next time. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRenderer } from '../../agent/converge/render.ts';
import { type Home, NODE, webHome } from '../support/home.ts';
import { declared } from '../unit/render/declared.ts';

const MANY = 2000;
let home: Home;
beforeEach(async () => {
  home = await webHome();
  await home.settled();
  await home.stop();
});
afterEach(async () => {
  await home.resume();
  await home.end();
});

const sites = (alias: string) =>
  Array.from({ length: MANY }, (_, at) => ({
    ...declared('Site', `s${at}.example`, { root: '/srv/www', aliases: [`${alias}${at}.example`] }),
    scopes: ['role/web'],
  }));

/** How often others got their turn while something ran. */
async function turnsDuring<T>(work: () => Promise<T>): Promise<{ turns: number; result: T }> {
  let turns = 0;
  let running = true;
  const count = () => {
    turns += 1;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  const result = await work();
  running = false;
  return { turns, result };
}

async function brought(alias: string) {
  home.journal.commit(sites(alias));
  const own = home.desired().stand('role/web');
  const { since, ...answer } = await home.journal.changes('role/web', own?.epoch ?? 0, own?.rev ?? 0);
  return turnsDuring(() => home.desired().apply('role/web', { ...answer, snapshot: since === null }));
}

it('[2.5] a large change is judged, and rendered, in slices', async () => {
  await home.resume();
  const renderer = createRenderer({
    unit: 'web-nginx',
    node: NODE,
    paths: home.paths,
    desired: home.desired(),
  });
  expect((await brought('a')).turns).toBeGreaterThan(MANY / 100);
  const { turns, result } = await turnsDuring(() => renderer.wanted(new Map()));
  expect(turns).toBeGreaterThan(MANY / 100);
  expect(result.rendered.files.some(({ text }) => text?.includes('a1999.example'))).toBe(true);
  await home.stop();
});

it('[2.5] a render is of one moment, whatever arrives and whoever asks for another meanwhile', async () => {
  await home.resume();
  const desired = home.desired();
  const renderer = createRenderer({ unit: 'web-nginx', node: NODE, paths: home.paths, desired });
  desired.onApplied(renderer.look);
  await brought('a');
  const revision = () => desired.stand('role/web')?.rev;
  const revisionOf = { a: revision(), b: 0 as number | undefined };
  const none = new Map();
  const first = renderer.wanted(none);
  const without = renderer.wanted(new Map(), new Map([['Site/s7.example', null]]));
  await new Promise(setImmediate);
  await brought('b');
  revisionOf.b = revision();
  const before = await first;
  const textOf = ({ rendered }: typeof before) => rendered.files.map(({ text }) => text).join('');
  const count = (text: string, alias: string) =>
    text.split(new RegExp(`\\b${alias}[0-9]+\\.example`)).length - 1;
  expect([0, MANY]).toContain(count(textOf(before), 'a'));
  expect(count(textOf(before), 'a') + count(textOf(before), 'b')).toBe(MANY);
  const shown = count(textOf(before), 'a') === MANY ? 'a' : 'b';
  expect(before.scopes['role/web']?.rev).toBe(revisionOf[shown]);
  expect(textOf(await without)).not.toContain('s7.example');
  const after = textOf(await renderer.wanted(none));
  expect([count(after, 'a'), count(after, 'b')]).toEqual([0, MANY]);
  expect(after).toContain('s7.example');
  await home.stop();
});
