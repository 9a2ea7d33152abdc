/** The agent's own record of tries: what it has taken, begun and ended is there after a kill, and damage is never taken for nothing. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLedger, type Ledger, nameOf } from '../../../agent/queue/ledger.ts';
import { createRecordLog } from '../../../agent/state/log.ts';
import type { TryResult } from '../../../protocol/queue.ts';
import { tryResult } from '../../support/command.ts';
import { quiet, temporaryFolder } from '../../support/courier.ts';

const AT = '2026-01-01T00:00:00.000Z';
const RUN = 'abcdefghijkl';
const SECRET = 'hunter2-and-a-half';
const wanted = (number = 1, run = RUN) => ({
  ...{ run, number, action: 'restart', digest: 'a'.repeat(64), values: { word: SECRET }, delay: 0 },
});
const named = (number = 1) => ({ run: RUN, number });
const begun = { boot: 'b1', at: AT, idempotent: true, reboots: false };
const result = (number = 1, more: Partial<TryResult> = {}): TryResult =>
  tryResult({ run: RUN, number, output: 'all of it', from: AT, to: AT, ...more });

let at: { folder: string; remove: () => Promise<void> };
let folder: string;
let opened: Ledger[];
let mounted: boolean;
beforeEach(async () => {
  at = await temporaryFolder();
  [folder, opened, mounted] = [join(at.folder, 'queue'), [], false];
});
afterEach(async () => {
  for (const ledger of opened) await ledger.close();
  if (mounted) execFileSync('umount', ['--lazy', folder]);
  await at.remove();
});

/** As after a kill: whoever had it open before says no more. */
const open = async (): Promise<Ledger> => {
  const ledger = createLedger({ folder, log: quiet });
  opened.push(ledger);
  await ledger.open();
  return ledger;
};
const run = async (ledger: Ledger, number: number, more: Partial<TryResult> = {}) => {
  await ledger.take(wanted(number));
  await ledger.begin(begun);
  await ledger.end(result(number, more));
};

it('[5.3] the ledger has a name of its own, made once and kept', async () => {
  const first = (await open()).id();
  expect(first).toMatch(/^[0-9a-f-]{36}$/);
  expect((await open()).id()).toBe(first);
  rmSync(folder, { recursive: true });
  expect((await open()).id()).not.toBe(first);
});

it('[5.3] what was taken, begun and ended is there after a kill at any of these points', async () => {
  const ledger = await open();
  await ledger.take(wanted());
  expect((await open()).current()).toEqual({ try: named(), begun: null, leader: null });
  await ledger.begin(begun);
  await ledger.lead({ pid: 7, started: 70 });
  expect((await open()).current()).toEqual({ try: named(), begun, leader: { pid: 7, started: 70 } });
  await ledger.end(result());
  const after = await open();
  expect([after.current(), after.owed(), after.stateOf(`${RUN}/1`)]).toEqual([null, [result()], 'ended']);
});

it('[5.3] what a try is given is never on the disk, for it may be secret', async () => {
  const ledger = await open();
  const written = () => readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  await ledger.take(wanted());
  rmSync(join(folder, 'tries.log'));
  // What is compacted in the middle of a try is no other than what is appended.
  await ledger.begin(begun);
  await ledger.end(result());
  await ledger.take(wanted(2));
  expect(written().join('')).toContain('"number":2');
  expect(written().filter((text) => text.includes(SECRET))).toEqual([]);
});

it('[5.3] a result stays whole until it is receipted, and how the try ended is known after that', async () => {
  const ledger = await open();
  await run(ledger, 1);
  await run(ledger, 2);
  await ledger.kept([`${RUN}/1`, 'nobodyshas22/9']);
  const after = await open();
  expect(after.owed()).toEqual([result(2)]);
  after.owe(`${RUN}/1`);
  expect(after.owed().map(nameOf)).toEqual([`${RUN}/2`, `${RUN}/1`]);
  expect(after.owed()[1]).toEqual(result(1, { output: '', omitted: 'all of it'.length }));
});

it('[5.3] the newest 5,000 that are over are known by name and end, on the disk too, and what is owed is whole', async () => {
  const ledger = await open();
  const output = 'x'.repeat(2_000);
  await run(ledger, 1, { output });
  // The same records as one by one, without ten thousand syncs.
  await ledger.close();
  const file = createRecordLog({ folder, name: 'tries' });
  const before = await file.load();
  const done = Array.from({ length: 5_100 }, (_, at) => ({
    t: 'done',
    result: result(at + 10, { output: '' }),
  }));
  await file.compact([...before, ...done]);
  await file.close();
  const after = await open();
  const known = Array.from({ length: 5_100 }, (_, at) => after.stateOf(`${RUN}/${at + 10}`));
  expect([known.filter(Boolean).length, known[0], known.at(-1)]).toEqual([5_000, undefined, 'ended']);
  for (let number = 1; number <= 600; number += 1) {
    await run(after, 10_000 + number, { output });
    await after.kept([`${RUN}/${10_000 + number}`]);
  }
  const last = await open();
  expect(last.owed()).toEqual([result(1, { output })]);
  expect([last.stateOf(`${RUN}/10600`), last.stateOf(`${RUN}/109`)]).toEqual(['ended', undefined]);
  const size = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  expect(size).toBeLessThan(5_000 * 600);
});

it('[5.3] what is compacted in the middle of a try loses neither the try nor its leader', async () => {
  const ledger = await open();
  await ledger.take(wanted());
  await ledger.begin(begun);
  await ledger.lead({ pid: 7, started: 70 });
  rmSync(join(folder, 'tries.log'));
  await ledger.kept([]);
  await ledger.end(result());
  await ledger.take(wanted(2));
  const after = await open();
  expect([after.id(), after.owed(), after.current()?.try]).toEqual([ledger.id(), [result()], named(2)]);
});

it('[5.3] a damaged ledger is set aside, says so, and has another name', async () => {
  const ledger = await open();
  await run(ledger, 1);
  await run(ledger, 2);
  const file = join(folder, 'tries.log');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"number":1', '"number":7'));
  const after = await open();
  expect(after.id()).not.toBe(ledger.id());
  expect([after.owed(), after.current(), after.stateOf(`${RUN}/2`)]).toEqual([[], null, undefined]);
  expect(after.damage()).toContain('does not verify');
  expect(readdirSync(folder)).toContain('tries.log.damaged');
  expect((await open()).damage()).toBeNull();
});

it('[5.3] on a full disk nothing is taken or begun; what has ended is owed, and written as soon as there is room', async () => {
  mkdirSync(folder);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'evenkeel-test', folder]);
  mounted = true;
  const ledger = await open();
  await ledger.take(wanted());
  await ledger.begin(begun);
  const filler = join(folder, 'filler');
  expect(() => writeFileSync(filler, Buffer.alloc(1024 * 1024))).toThrow(/ENOSPC/);
  const output = 'y'.repeat(8_000);
  await ledger.end(result(1, { output }));
  expect(ledger.owed()).toEqual([result(1, { output })]);
  await expect(ledger.take(wanted(2))).rejects.toMatchObject({ code: 'write-failed' });
  expect([ledger.current(), ledger.stateOf(`${RUN}/2`)]).toEqual([null, undefined]);
  rmSync(filler);
  await ledger.take(wanted(2));
  const after = await open();
  expect([after.owed(), after.current()?.try]).toEqual([[result(1, { output })], named(2)]);
});
