/** The system's time as a test moves it, for processes of their own: they ask the kernel, and libfaketime answers. */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SystemTime {
  /** For whatever is to live in this time. What counts from the boot, as timeouts and leases do, goes on as it is. */
  env: Record<string, string>;
  /** So much later than it is, from now on. */
  ahead(seconds: number): void;
  remove(): void;
}

const LIBRARIES = '/usr/lib';

export function movableTime(): SystemTime {
  const library = readdirSync(LIBRARIES)
    .map((name) => join(LIBRARIES, name, 'faketime', 'libfaketimeMT.so.1'))
    .find((path) => existsSync(path));
  if (library === undefined) throw new Error('there is no libfaketime: sh scripts/ready.sh');
  const folder = mkdtempSync(join(tmpdir(), 'evenkeel-time-'));
  const file = join(folder, 'ahead');
  // Nobody ever reads half of it.
  const ahead = (seconds: number) => {
    writeFileSync(`${file}.new`, `+${seconds}\n`);
    renameSync(`${file}.new`, file);
  };
  ahead(0);
  return {
    env: {
      LD_PRELOAD: library,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_CACHE_DURATION: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    },
    ahead,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
