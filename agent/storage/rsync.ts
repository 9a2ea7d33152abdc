/** Rsync: copies one folder to another, says how far it has come, and tells whether both are the same to the last byte. */
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Run } from '../drivers/run.ts';

export interface Progress {
  files: number;
  bytes: number;
  /** Files that are still to be looked at, as far as they are known. */
  left: number;
}

export interface Compared {
  /** The first of them; none where both are the same. */
  differences: string[];
  files: number;
  bytes: number;
}

export interface Rsync {
  /** Makes the target what the source is. @throws EvenkeelError copy-failed */
  copy(
    from: string,
    to: string,
    options: { signal: AbortSignal; told: (progress: Progress) => void },
  ): Promise<void>;
  /** Reads both whole, and changes nothing. @throws EvenkeelError copy-failed */
  compare(from: string, to: string, signal: AbortSignal): Promise<Compared>;
  /** Names in a folder. @throws EvenkeelError copy-failed */
  names(folder: string, signal: AbortSignal): Promise<string[]>;
  /** Copies one file. @throws EvenkeelError copy-failed */
  file(from: string, to: string, signal: AbortSignal): Promise<void>;
  /** The same, and removes it where it was. @throws EvenkeelError copy-failed */
  takeFile(from: string, to: string, signal: AbortSignal): Promise<void>;
}

/** Says that the target is of an earlier try of ours; it is no part of what is copied. */
export const MARK = '.evenkeel-move';
/** Made by the file system itself, on either side. */
export const OWN_FOLDER = 'lost+found';

/** NFS names a file so that was removed while it was open (`.nfs`, 16 digits of its number, 8 of a count): it goes when it is closed. */
const SILLY = `.nfs${'[0-9a-f]'.repeat(24)}`;
const EVERYTHING = [
  ...['-aHAX', '--numeric-ids', '--delete', '--no-human-readable', '--outbuf=L'],
  // Whole seconds are rsync's measure of sameness: a file that is written twice in one would be left as it was first.
  '--modify-window=-1',
  ...[`--exclude=/${MARK}`, `--exclude=/${OWN_FOLDER}`, `--exclude=${SILLY}`],
];

/** Two marks may have one size and time. */
const ONE_FILE = ['--quiet', '--ignore-times'];

/** As long as a copy may take in all. */
const LONGEST_MS = 7 * 24 * 3_600_000;
const SHORT_MS = 60_000;
const MOST_SHOWN = 5;
/** Somebody wrote meanwhile: files that were listed are gone. The next pass sees to it. */
const VANISHED = 24;

export function createRsync(run: Run): Rsync {
  const call = async (
    args: readonly string[],
    options: { signal: AbortSignal; timeout?: number; heard?: (text: string) => void },
  ) => {
    const { status, output } = await run(['rsync', ...args], { timeout: SHORT_MS, ...options });
    if (status === 0 || status === VANISHED) return output;
    throw new EvenkeelError('copy-failed', reasonOf(output, status));
  };
  return {
    copy: async (from, to, { signal, told }) => {
      const heard = (text: string) => {
        const progress = progressIn(text);
        if (progress) told(progress);
      };
      const options = { signal, timeout: LONGEST_MS, heard };
      await call([...EVERYTHING, '--info=progress2', `${from}/`, `${to}/`], options);
    },
    compare: async (from, to, signal) => {
      const how = ['--checksum', '--dry-run', '--stats', `--out-format=${DIFFERS}%i %n`];
      const output = await call([...EVERYTHING, ...how, `${from}/`, `${to}/`], {
        ...{ signal, timeout: LONGEST_MS },
      });
      return comparedIn(output);
    },
    names: async (folder, signal) => {
      const output = await call(['--list-only', `${folder}/`], { signal });
      const names = output.split('\n').flatMap((line) => LISTED.exec(line)?.[1] ?? []);
      return names.filter((name) => name !== '.');
    },
    file: async (from, to, signal) => {
      await call([...ONE_FILE, from, to], { signal });
    },
    takeFile: async (from, to, signal) => {
      await call([...ONE_FILE, '--remove-source-files', from, to], { signal });
    },
  };
}

const DIFFERS = 'differs: ';
/** Mode, size, date, time, name. */
const LISTED = /^\S{10,}\s+[\d,.]+\s+\S+\s+\S+ (.*)$/;

/** The last line of progress: `  200004  99%  159.49MB/s  0:00:00 (xfr#3, to-chk=0/6)`. */
export function progressIn(text: string): Progress | null {
  const last = text.split(/[\r\n]/).findLast((line) => /^\s*\d+\s+\d+%/.test(line));
  if (last === undefined) return null;
  const [, bytes = '0'] = /^\s*(\d+)/.exec(last) ?? [];
  const [, files = '0', left = '0'] = /xfr#(\d+), (?:to|ir)-chk=(\d+)\//.exec(last) ?? [];
  return { bytes: Number(bytes), files: Number(files), left: Number(left) };
}

function comparedIn(output: string): Compared {
  const count = (title: string) =>
    Number(new RegExp(`^${title}: (\\d+)`, 'm').exec(output)?.[1] ?? Number.NaN);
  const [files, bytes] = [count('Number of files'), count('Total file size')];
  if (Number.isNaN(files) || Number.isNaN(bytes))
    throw new EvenkeelError('copy-failed', `rsync did not say what it compared: ${output.slice(-300)}`);
  const differences = output.split('\n').filter((line) => line.startsWith(DIFFERS));
  return { differences: differences.slice(0, MOST_SHOWN), files, bytes };
}

/** Trying again would end the same. */
export const isFull = (message: string): boolean =>
  /No space left on device|Disk quota exceeded|Read-only file system/.test(message);

/** Its first complaint, not its last words. */
function reasonOf(output: string, status: number | null): string {
  const lines = output.split(/[\r\n]+/).filter((line) => /rsync|@ERROR|failed|No space/.test(line));
  const said = (lines.find((line) => !line.startsWith('rsync error')) ?? lines[0] ?? output.trim()).slice(
    0,
    500,
  );
  const advice = /Operation not permitted|Permission denied/.test(said)
    ? ' (root of the nodes must be root there: no_root_squash)'
    : '';
  return `${said || `rsync ended ${status === null ? 'by a signal' : `with ${status}`}`}${advice}`;
}
