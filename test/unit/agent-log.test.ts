/** The durable log of a node: what was appended is there, a torn line is cut, and damage never passes for truth. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRecordLog, type RecordLog } from '../../agent/state/log.ts';

let folder: string;
let open: RecordLog[] = [];
const file = (ending: string) => join(folder, `things.${ending}`);
const opened = async () => {
  const log = createRecordLog({ folder, name: 'things' });
  open.push(log);
  return { log, records: await log.load() };
};
const filled = async (...records: unknown[]) => {
  const { log } = await opened();
  for (const record of records) await log.append(record);
  return log;
};
const damage = (ending: string) => {
  const bytes = readFileSync(file(ending));
  const at = bytes.indexOf('"n":1');
  bytes[at + 4] = bytes[at + 4] === 57 ? 56 : 57;
  writeFileSync(file(ending), bytes);
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-'));
});
afterEach(async () => {
  for (const log of open) await log.close();
  open = [];
  rmSync(folder, { recursive: true });
});

it('[2.5] what was appended is there after a restart, in its order', async () => {
  await filled({ n: 1, text: 'ü\n' }, { n: 2 });
  expect((await opened()).records).toEqual([{ n: 1, text: 'ü\n' }, { n: 2 }]);
});

it('[2.5] a torn last line is cut, and the next one takes its place', async () => {
  await filled({ n: 1 }, { n: 2 });
  truncateSync(file('log'), readFileSync(file('log')).length - 3);
  const { log, records } = await opened();
  expect(records).toEqual([{ n: 1 }]);
  await log.append({ n: 3 });
  expect((await opened()).records).toEqual([{ n: 1 }, { n: 3 }]);
});

it('[2.5] a last line that was written over in part is cut as well', async () => {
  await filled({ n: 1 }, { n: 2 });
  appendFileSync(file('log'), 'f00df00df00df00d {"n":3');
  expect((await opened()).records).toEqual([{ n: 1 }, { n: 2 }]);
});

it('[2.5] a changed byte with lines after it is damage, in the log and in the snapshot', async () => {
  const log = await filled({ n: 1 }, { n: 2 });
  damage('log');
  await expect(opened()).rejects.toMatchObject({ code: 'store-damaged' });
  await log.compact([{ n: 1 }, { n: 2 }]);
  damage('snapshot');
  await expect(opened()).rejects.toMatchObject({ code: 'store-damaged' });
});

it('[2.5] a lost snapshot is damage, since the log only goes on from it', async () => {
  const log = await filled({ n: 1 });
  await log.compact([{ n: 1 }]);
  rmSync(file('snapshot'));
  await expect(opened()).rejects.toMatchObject({ code: 'store-damaged' });
});

it('[2.5] after compaction the snapshot and what came later are read, each once', async () => {
  const log = await filled({ n: 1 }, { n: 2 });
  await log.compact([{ n: 12 }]);
  await log.append({ n: 3 });
  expect((await opened()).records).toEqual([{ n: 12 }, { n: 3 }]);
});

it('[2.5] a crash between a new snapshot and its log loses nothing and doubles nothing', async () => {
  const log = await filled({ n: 1 }, { n: 2 });
  const before = readFileSync(file('log'));
  await log.compact([{ n: 12 }]);
  writeFileSync(file('log'), before);
  const again = await opened();
  expect(again.records).toEqual([{ n: 12 }]);
  await again.log.append({ n: 3 });
  expect((await opened()).records).toEqual([{ n: 12 }, { n: 3 }]);
});

it('[2.5] damaged files are kept for a person to look at, and a new log begins', async () => {
  await filled({ n: 1 }, { n: 2 });
  damage('log');
  const log = createRecordLog({ folder, name: 'things' });
  open.push(log);
  await expect(log.load()).rejects.toThrow();
  await log.setAside();
  await log.append({ n: 5 });
  expect(existsSync(file('log.damaged'))).toBe(true);
  expect((await opened()).records).toEqual([{ n: 5 }]);
});

it('[2 bad input] a lost log is damage, since the snapshot alone is older than what was kept', async () => {
  const log = await filled({ n: 1 });
  await log.compact([{ n: 1 }]);
  await log.append({ n: 2 });
  rmSync(file('log'));
  await expect(opened()).rejects.toMatchObject({ code: 'store-damaged' });
});

it('[2 bad input] a compaction that failed half way loses nothing, and what is appended after it is kept', async () => {
  const log = await filled({ n: 1 }, { n: 2 });
  rmSync(file('log'));
  mkdirSync(file('log'));
  await expect(log.compact([{ n: 12 }])).rejects.toThrow();
  await expect(log.append({ n: 3 })).rejects.toMatchObject({ code: 'write-failed' });
  rmdirSync(file('log'));
  await log.append({ n: 4 });
  expect((await opened()).records).toEqual([{ n: 12 }, { n: 4 }]);
});

it('[2 bad input] a log that a hand took away while it was open asks to be written anew', async () => {
  const log = await filled({ n: 1 });
  expect(log.isLong()).toBe(false);
  rmSync(file('log'));
  await log.append({ n: 2 });
  expect(log.isLong()).toBe(true);
  await log.compact([{ n: 1 }, { n: 2 }]);
  expect(log.isLong()).toBe(false);
  expect((await opened()).records).toEqual([{ n: 1 }, { n: 2 }]);
});

it('[2 bad input] a pipe in the place of the log is damage, and nobody waits for it', async () => {
  await filled({ n: 1 });
  rmSync(file('log'));
  execFileSync('mkfifo', [file('log')]);
  await expect(opened()).rejects.toMatchObject({ code: 'store-damaged' });
});

it('[2 bad input] what a killed agent was writing is swept up by the next one, and nothing else', async () => {
  await filled({ n: 1 });
  const others = ['.things.log.0123456789ab.tmp', '.other.json.0123456789ab.tmp', '.mine.tmp'];
  for (const name of others) writeFileSync(join(folder, name), 'half');
  expect((await opened()).records).toEqual([{ n: 1 }]);
  expect(readdirSync(folder).sort()).toEqual(['.mine.tmp', '.other.json.0123456789ab.tmp', 'things.log']);
});
