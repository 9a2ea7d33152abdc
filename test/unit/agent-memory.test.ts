/** What a unit remembers: the last good version of whatever changed, and what is held back until it changes again. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDesired, type Desired } from '../../agent/state/desired.ts';
import { createLog } from '../../common/log.ts';
import { createJournal, type TestJournal } from '../support/journal.ts';

const log = createLog('agent', 'silent');
let folder: string;
let desired: Desired;
let close: () => Promise<void>;
let journal: TestJournal;
const open = async () => {
  desired = createDesired({ folder, log });
  close = await desired.start();
};
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
  journal = createJournal();
  await open();
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

const scope = 'role/web';
/** Each name with a text, or null to delete it. */
async function change(texts: Record<string, string | null>): Promise<void> {
  journal.commit(
    Object.entries(texts).map(([name, text]) => ({
      kind: 'Site',
      name,
      scopes: [scope],
      ...(text === null ? {} : { spec: { text } }),
    })),
  );
  const own = desired.stand(scope);
  const { since, ...answer } = await journal.changes(scope, own?.epoch ?? 0, own?.rev ?? 0);
  await desired.apply(scope, { ...answer, snapshot: since === null });
}
const unit = () => desired.unit('u');
const textOf = (item: unknown) => (item as { spec: { text: string } } | null)?.spec.text ?? null;
const good = (name: string) => textOf(unit().good(`Site/${name}`));
const effective = (name: string) => textOf(unit().effective(`Site/${name}`));
const hold = (name: string, serving: 'last-good' | 'nothing' = 'last-good') =>
  desired.hold('u', [
    [`Site/${name}`, { digest: desired.digest(`Site/${name}`), serving, reason: 'it failed' }],
  ]);
const settle = () => desired.settle('u', unit().changed());

describe('the last good version', () => {
  it('[2.5] is that of the last settle, however often it changed since, and over a restart', async () => {
    await change({ a: '1', b: '1' });
    expect(good('a')).toBeNull();
    await settle();
    await change({ a: '2' });
    await change({ a: '3', b: null, c: '1' });
    await close();
    await open();
    expect([good('a'), good('b'), good('c')]).toEqual(['1', '1', null]);
    expect([...unit().changed().keys()].sort()).toEqual(['Site/a', 'Site/b', 'Site/c']);
    await change({ a: '1' });
    expect([...unit().changed().keys()].sort()).toEqual(['Site/b', 'Site/c']);
  });

  it('[2.5] of what changed during a pass is the version that the pass had', async () => {
    await change({ a: '1' });
    const tried = unit().changed();
    await change({ a: '2', b: '1' });
    await desired.settle('u', tried);
    expect([good('a'), good('b')]).toEqual(['1', null]);
  });
});

describe('what is held back', () => {
  beforeEach(async () => {
    await change({ a: '1', b: '1' });
    await settle();
    await change({ a: '2', b: '2' });
  });

  it('[2.5] is rendered as it last was good, or not at all, over a restart', async () => {
    await hold('a');
    await hold('b', 'nothing');
    await close();
    await open();
    expect([effective('a'), effective('b')]).toEqual(['1', null]);
    expect(unit().held()).toEqual([
      { kind: 'Site', name: 'a', serving: 'last-good', reason: 'it failed' },
      { kind: 'Site', name: 'b', serving: 'nothing', reason: 'it failed' },
    ]);
  });

  it('[2.5] ends when the item changes, and not when another one does', async () => {
    await hold('a');
    await change({ b: '3' });
    expect(effective('a')).toBe('1');
    await change({ a: '3' });
    expect([effective('a'), unit().held()]).toEqual(['3', []]);
    await change({ a: '2' });
    expect(effective('a')).toBe('2');
  });

  it('[2.5] ends when an operator retries', async () => {
    await hold('a');
    expect(await desired.release('u', { harmful: true })).toEqual(['Site/a']);
    expect([effective('a'), unit().held()]).toEqual(['2', []]);
  });

  it('[2.5] keeps its last good version while others settle', async () => {
    await hold('a');
    const tried = new Map([...unit().changed()].filter(([key]) => !unit().isHeld(key)));
    await desired.settle('u', tried);
    expect([good('a'), good('b'), effective('a')]).toEqual(['1', '2', '1']);
  });

  it('[2.5] may be a removal: then it is served on', async () => {
    await change({ b: null });
    await hold('b');
    expect(effective('b')).toBe('1');
  });
});

it('[2.5] whatever changes, settles and restarts, each good version is the one that was settled last', async () => {
  const names = ['a', 'b', 'c'] as const;
  const step = fc.oneof(
    fc.record({
      do: fc.constant('change' as const),
      name: fc.constantFrom(...names),
      text: fc.option(fc.constantFrom('1', '2', '3')),
    }),
    fc.record({ do: fc.constantFrom('capture' as const, 'settle' as const, 'restart' as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (walk) => {
      await close();
      rmSync(folder, { recursive: true });
      folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
      journal = createJournal();
      await open();
      const now = new Map<string, string>();
      let model = new Map<string, string>();
      let captured: {
        tried: ReturnType<ReturnType<typeof unit>['changed']>;
        seen: Map<string, string>;
      } | null = null;
      for (const one of walk) {
        if (one.do === 'change') {
          if (one.text === null && !now.has(one.name)) continue;
          await change({ [one.name]: one.text });
          if (one.text === null) now.delete(one.name);
          else now.set(one.name, one.text);
        } else if (one.do === 'capture') captured = { tried: unit().changed(), seen: new Map(now) };
        else if (one.do === 'settle' && captured) {
          await desired.settle('u', captured.tried);
          model = captured.seen;
          captured = null;
        } else if (one.do === 'restart') {
          await close();
          await open();
          captured = null;
        }
        expect(names.map(good)).toEqual(names.map((name) => model.get(name) ?? null));
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);
