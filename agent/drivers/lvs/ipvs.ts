/** The kernel's IPVS: its table is read from /proc, changed by `ipvsadm -R`, and judged by reading it again. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeFileAtomic } from '../../../common/files.ts';
import { isOurMark, KEEPER } from '../../../common/render/marks.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { Run } from '../run.ts';
import { argumentsOf, planTable } from './plan.ts';
import { parseTable, type TableService } from './table.ts';

export interface Ipvs {
  /** Null where the kernel has no IPVS. */
  read(): Promise<TableService[] | null>;
  /** Gives all lines to ipvsadm; it ends with 0 also when one fails, so only what is read afterwards counts. */
  write(lines: readonly string[]): Promise<void>;
  /** The ticks of a second, learned from a service with persistence; null before. */
  hz(table: readonly TableService[]): Promise<number | null>;
  /** What it counted, as `ipvsadm --stats` lists it. */
  stats(): Promise<string>;
  /**
   * Remembers which services are its own, with the kernel's table and no longer, and says of any other whether it is
   * to go: one that was its own before, one at an address that visitors of its services use, one with a mark of ours.
   */
  own(keys: readonly string[]): Promise<(key: string) => boolean>;
  /** Takes away all that is its own. */
  leave(): Promise<void>;
  /** Whether it remembers anything to take away. */
  isLeft(): boolean;
}

const TABLE = '/proc/net/ip_vs';
const TIMEOUT_MS = 10_000;
/** Some 80 characters a server: this is more than ten thousand of them. */
const MOST_STATS = 1024 * 1024;

/** @param memory the file, on the tmpfs of the box, that says which services were its own */
export function createIpvs({
  run,
  memory,
  table = TABLE,
}: {
  run: Run;
  memory: string;
  table?: string;
}): Ipvs {
  let hz: number | null = null;
  let remembered: Set<string> | null = null;
  const ask = async (args: string[], options: { input?: string; most?: number } = {}) => {
    const { status, output } = await run(['ipvsadm', ...args], { timeout: TIMEOUT_MS, ...options });
    if (status === 0) return output;
    throw new EvenkeelError(
      'driver-failed',
      `ipvsadm ${args.join(' ')} ended with ${status}: ${output.trim()}`,
    );
  };
  const recall = async () => {
    remembered ??= new Set((await textOf(memory))?.split('\n').filter((line) => line !== ''));
    return remembered;
  };
  const remember = async (keys: ReadonlySet<string>) => {
    const before = await recall();
    if (keys.size === before.size && [...keys].every((key) => before.has(key))) return;
    await mkdir(dirname(memory), { recursive: true });
    await writeFileAtomic(memory, [...keys].map((key) => `${key}\n`).join(''));
    remembered = new Set(keys);
  };
  const read = async () => {
    const text = await textOf(table);
    return text === null ? null : parseTable(text);
  };
  const write = async (lines: readonly string[]) => {
    if (lines.length > 0) await ask(['-R'], { input: lines.map((line) => `${line}\n`).join('') });
  };
  return {
    read,
    write,
    hz: async (services) => {
      const one = services.find(({ persistence }) => persistence !== null);
      if (hz !== null || !one?.persistence) return hz;
      const seconds = secondsIn(await ask(['-S', '-n'], { most: MOST_STATS }), one.key);
      if (seconds !== null) hz = one.persistence.ticks / seconds;
      return hz;
    },
    stats: () => ask(['-L', '-n', '--stats', '--exact'], { most: MOST_STATS }),
    own: async (keys) => {
      const mine = new Set(keys);
      const before = new Set(await recall());
      const addresses = new Set([...mine].flatMap((key) => addressOf(key) ?? []));
      const has = new Set((await read())?.map(({ key }) => key));
      // One that is to go is remembered until it has gone.
      await remember(new Set([...mine, ...[...before].filter((key) => has.has(key))]));
      return (key) => before.has(key) || addresses.has(addressOf(key) ?? '') || isMark(key);
    },
    isLeft: () => existsSync(memory),
    leave: async () => {
      const mine = await recall();
      if (!existsSync(memory)) return;
      const services = (await read()) ?? [];
      const gone = services.filter(({ key }) => mine.has(key) || isMark(key) || key === `mark ${KEEPER}`);
      await write(planTable([], gone, { hz: null, isOurs: () => true }).map(({ line }) => line));
      await rm(memory, { force: true });
      remembered = new Set();
    },
  };
}

const isMark = (key: string): boolean => key.startsWith('mark ') && isOurMark(Number(key.slice(5)));

/** The address of a service that has one. */
const addressOf = (key: string): string | undefined =>
  key.startsWith('mark ') ? undefined : key.slice(key.indexOf(' ') + 1, key.lastIndexOf(':'));

/** What `ipvsadm -S -n` says of the persistence of a service. */
function secondsIn(saved: string, key: string): number | null {
  const line = saved
    .split('\n')
    .find((one) => [false, true].some((v6) => one.startsWith(`-A ${argumentsOf(key, v6)} `)));
  const seconds = / -p (\d+)/.exec(line ?? '')?.[1];
  return seconds === undefined ? null : Number(seconds);
}

async function textOf(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw err;
  }
}
