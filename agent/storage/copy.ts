/** What the mover does in a phase: in copy one pass after the other, in compare the last one and then both sides read whole. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { StorageReport } from '../../protocol/messages.ts';
import type { StorageMove } from '../../protocol/resources/storage.ts';
import { type Beside, foldersOf } from './beside.ts';
import { isFull, MARK, OWN_FOLDER, type Progress, type Rsync } from './rsync.ts';

export interface Job {
  move: StorageMove;
  /** What stands in the mark: of which cluster and storage it is. */
  mark: string;
  /** The mover's own folder for this storage. */
  folder: string;
}

export type Said = Pick<StorageReport, 'pass' | 'seconds' | 'files' | 'bytes' | 'left'> &
  Partial<Pick<StorageReport, 'identical' | 'error'>>;

export interface Tools {
  beside: Beside;
  rsync: Rsync;
  clock: Clock;
  /** Tells how far it has come; `now` where that is news. */
  say: (said: Said, when: 'now' | 'soon') => void;
}

const NOTHING: Said = { pass: 0, seconds: 0, files: 0, bytes: 0, left: 0 };
/** After a quick pass the next one begins so much later: what is left when writing stops stays little. */
const PAUSE_MS = 30_000;
const QUICK_S = 10;
/** A server that is away comes back, mostly: so often, and after such a wait, it is tried again. */
const RETRY_MS = 10_000;
const TRIES = { copy: 10, compare: 2 };

/** Until the signal comes, or it has failed for good, which is said. Rejects with the signal's reason. */
export async function work(job: Job, tools: Tools, signal: AbortSignal): Promise<void> {
  const { phase } = job.move;
  if (phase !== 'copy' && phase !== 'compare') return;
  const most = TRIES[phase];
  let standing = NOTHING;
  const say: Tools['say'] = (said, when) => {
    standing = said;
    tools.say(said, when);
  };
  for (let tries = 1; ; tries += 1) {
    const before = standing.pass;
    try {
      await (phase === 'copy' ? copy : compare)(job, { ...tools, say }, { signal, from: standing });
      return;
    } catch (err) {
      if (signal.aborted) throw err;
      if (standing.pass > before) tries = 1;
      const message = messageOf(err).slice(0, 1000);
      if (tries >= most || isFinal(err, message)) {
        const code = err instanceof EvenkeelError ? err.code : 'internal';
        return tools.say({ ...standing, error: { code, message } }, 'now');
      }
      await tools.clock.sleep(RETRY_MS, signal);
    }
  }
}

const FINAL = new Set(['target-not-empty', 'executable-refused', 'command-missing']);
const isFinal = (err: unknown, message: string): boolean =>
  isFull(message) || (err instanceof EvenkeelError && FINAL.has(err.code));

interface Stand {
  signal: AbortSignal;
  from: Said;
}

async function copy(job: Job, tools: Tools, { signal, from }: Stand): Promise<void> {
  const { source, target } = await opened(job, tools, signal);
  for (let said = { ...NOTHING, pass: from.pass, seconds: from.seconds }; ; ) {
    said = await passed(said, { source, target }, tools, signal);
    if (said.seconds < QUICK_S) await tools.clock.sleep(PAUSE_MS, signal);
  }
}

async function passed(
  before: Said,
  { source, target }: { source: string; target: string },
  { rsync, clock, say }: Tools,
  signal: AbortSignal,
): Promise<Said> {
  const { pass, seconds } = before;
  const started = clock.monotonic();
  let last: Progress = { files: 0, bytes: 0, left: 0 };
  say({ pass, seconds, ...last }, 'soon');
  await rsync.copy(source, target, {
    signal,
    told: (progress) => {
      last = progress;
      say({ pass, seconds, ...progress }, 'soon');
    },
  });
  const said = { pass: pass + 1, seconds: (clock.monotonic() - started) / 1000, ...last };
  say(said, 'now');
  return said;
}

/** Both sides are mounted anew before they are compared: what is read then comes from the servers and from no memory of this box. */
async function compare(job: Job, tools: Tools, { signal }: Stand): Promise<void> {
  const said = await passed(NOTHING, await opened(job, tools, signal), tools, signal);
  const { source, target } = await opened(job, tools, signal);
  const { differences, files, bytes } = await tools.rsync.compare(source, target, signal);
  const result = { ...said, files, bytes, left: 0, identical: differences.length === 0 };
  if (result.identical) return tools.say(result, 'now');
  const message = `after the last copy the two sides differ: ${differences.join('; ')}`.slice(0, 1000);
  tools.say({ ...result, error: { code: 'copy-failed', message } }, 'now');
}

/** @throws EvenkeelError target-not-empty where something lies there that is not of an earlier try */
async function opened({ move, mark, folder }: Job, { beside, rsync }: Tools, signal: AbortSignal) {
  const { source, target } = foldersOf(folder);
  for (const one of [source, target]) await beside.unmount(one);
  signal.throwIfAborted();
  await beside.mount(move.from, source, 'ro');
  await beside.mount(move.to, target, 'rw');
  const names = (await rsync.names(target, signal)).filter((name) => name !== OWN_FOLDER);
  const [file, own] = [join(target, MARK), join(folder, 'mark')];
  if (!names.includes(MARK)) {
    if (names.length > 0) throw notEmpty(names, 'no earlier try of this move has left');
    await writeFile(own, mark);
    await rsync.file(own, file, signal);
    return { source, target };
  }
  const found = join(folder, 'found');
  await rsync.file(file, found, signal);
  if ((await readFile(found, 'utf8')) !== mark) throw notEmpty(names, 'another storage was moved to');
  return { source, target };
}

function notEmpty(names: readonly string[], why: string): EvenkeelError {
  const shown = names.slice(0, 3).join(', ');
  const text = `the target holds ${names.length} entries (${shown}) which ${why}; give an empty folder`;
  return new EvenkeelError('target-not-empty', text);
}
