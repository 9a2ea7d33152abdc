/** Differences for people: what a new tree changes, and what a hand has changed on the disk; bounded in size and time. */
import { readFileSync, readlinkSync } from 'node:fs';
import type { Clock } from '../../common/clock.ts';
import { unifiedDiff } from '../../common/render/diff.ts';
import type { FileDiff } from '../../protocol/messages.ts';
import type { Expected } from '../state/disk.ts';
import { statOf } from '../state/disk.ts';
import type { Manifest, Trees } from '../state/trees.ts';
import type { Plan } from './plan.ts';
import type { Wanted } from './render.ts';

const MOST_FILES = 100;
const MOST_BYTES = 64 * 1024;
const MOST_MS = 500;
/** Nobody reads the differences of a file that is larger. */
const LARGEST = 1024 * 1024;

interface Pair {
  path: string;
  before: () => string | null;
  after: () => string | null;
}

/** What leads from the active tree to the wanted one; to nothing where none is wanted. */
export function changesOf(
  wanted: Wanted | null,
  active: Manifest | null,
  trees: Trees,
  clock: Clock,
): FileDiff[] {
  const before = new Map(active?.files.map((file) => [file.path, file]));
  const after = new Map(wanted?.rendered.files.map((file) => [file.path, file]));
  const textBefore = (path: string) => {
    const file = before.get(path);
    return file && active ? textAt(trees.place(file, active.digest)) : null;
  };
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
    (path) => before.get(path)?.hash !== after.get(path)?.hash,
  );
  return bounded(
    changed.map((path) => ({
      path,
      before: () => textBefore(path),
      after: () => after.get(path)?.text ?? null,
    })),
    clock,
  );
}

/** What leads from what should lie on the disk to what does. */
export function driftDiffs(drift: readonly Expected[], wanted: Wanted, clock: Clock): FileDiff[] {
  const right = new Map(wanted.rendered.files.map((file) => [file.path, file.text]));
  const pairs = drift.map((one) => ({
    path: one.path,
    before: () => (one.kind === 'link' ? `link to ${one.target}\n` : (right.get(one.path) ?? null)),
    after: () => (one.kind === 'link' ? linkText(one.place) : foundText(one)),
  }));
  return bounded(pairs, clock);
}

/** What leads from the lines that the kernel should hold to what it holds. */
export function kernelDiffs({ kernel, wanted }: Pick<Plan, 'kernel' | 'wanted'>): FileDiff[] {
  if (wanted.kernel === undefined || kernel.length === 0) return [];
  const text = (lines: string[]) => lines.map((line) => `${line}\n`).join('');
  const found = kernel.flatMap(({ found }) => (found === '' ? [] : [found]));
  return [unifiedDiff(wanted.kernel.path, text(kernel.map(({ line }) => line)), text(found))];
}

/** Bytes that are right below a mode that is not say so in words. */
function foundText(expected: Expected & { kind: 'file' }): string | null {
  const { place } = expected;
  const stat = statOf(place);
  if (stat === undefined || stat.isDirectory()) return null;
  if (stat.isSymbolicLink()) return `link to ${readlinkSync(place)}\n`;
  if (!stat.isFile()) return 'no file\n';
  if (stat.size > LARGEST) return `${stat.size} bytes\n`;
  const text = textAt(place);
  const changed = (stat.mode & 0o7777) !== expected.mode;
  return changed && text !== null ? `${text}# mode ${(stat.mode & 0o7777).toString(8)}\n` : text;
}

function linkText(place: string): string | null {
  const stat = statOf(place);
  if (stat === undefined) return null;
  return stat.isSymbolicLink() ? `link to ${readlinkSync(place)}\n` : 'no link\n';
}

/** Only of a file: what a hand has put there instead, a pipe or a device, might never end. */
function textAt(place: string): string | null {
  try {
    return statOf(place)?.isFile() ? readFileSync(place, 'utf8') : null;
  } catch {
    return null; // gone meanwhile, or closed to us
  }
}

/** The first ones in full; when room or time is over, the others by name. */
function bounded(pairs: readonly Pair[], clock: Clock): FileDiff[] {
  const end = clock.monotonic() + MOST_MS;
  let room = MOST_BYTES;
  return pairs.slice(0, MOST_FILES).map(({ path, before, after }) => {
    const isLate = clock.monotonic() > end || room <= 0;
    const diff = unifiedDiff(path, isLate ? null : before(), isLate ? null : after());
    if (isLate) return { path, change: 'modified', diff: '', replaced: true };
    room -= Buffer.byteLength(diff.diff);
    return diff;
  });
}
