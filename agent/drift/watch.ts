/** The watch: hears of changes on the disk as they happen, and asks for a look at the unit whose files are not right. It mends nothing. */
import { watch as watchFolder } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { createGather } from '../../common/loop.ts';
import { messageOf } from '../../protocol/errors.ts';
import { type Disk, type Expected, statOf } from '../state/disk.ts';

export interface Watch {
  start(changed: (unit: string) => void): () => Promise<void>;
  /** What should lie on the disk for a unit from now on; none when it is gone. */
  set(unit: string, expected: readonly Expected[], disk: Pick<Disk, 'differs'>): void;
}

interface Watcher {
  on(event: 'error', call: (err: Error) => void): unknown;
  close(): void;
}

type Open = (folder: string, heard: (name: string | null) => void) => Watcher;

interface Watched {
  disk: Pick<Disk, 'differs'>;
  expected: readonly Expected[];
  places: Map<string, Expected>;
  /** The folders in which they lie. */
  wanted: Set<string>;
  folders: Map<string, { ino: number; watcher: Watcher }>;
  /** Why some folder is not watched, as it was said; null while all are. */
  said: string | null;
  /** Places that something happened to; null when that was too much to look at one by one. */
  touched: Set<string> | null;
}

/** An editor writes in several steps: this much quiet, at most this much delay. */
const QUIET_MS = 50;
const AT_MOST_MS = 200;
/** Beyond so many events at once the whole unit is looked at. */
const BURST = 1000;
/** Beyond so many folders of one unit the rest is left to the sweep. */
const MOST_FOLDERS = 1024;

const openFolder: Open = (folder, heard) =>
  watchFolder(folder, { persistent: false }, (_, name) => heard(name));

/**
 * Our own writes ask for nothing: what lies there afterwards is what should.
 * @param open how a folder is watched; another one only where a test has the kernel refuse
 */
export function createWatch({
  clock,
  log,
  open: openOne = openFolder,
}: {
  clock: Clock;
  log: Log;
  open?: Open;
}): Watch {
  const units = new Map<string, Watched>();
  let running = false;

  const settled = createGather({
    clock,
    log,
    quiet: QUIET_MS,
    atMost: AT_MOST_MS,
    call: (unit) => {
      const watched = units.get(unit);
      if (watched && takeTouched(watched)) changed(unit);
    },
  });
  let changed: (unit: string) => void = () => undefined;

  const heard = (unit: string, folder: string, name: string | null) => {
    const watched = units.get(unit);
    if (!watched) return;
    if (name !== null) touch(watched, folder, name);
    else watched.touched = null;
    if (watched.touched === null || watched.touched.size > 0) settled.put(unit);
  };
  /** The watcher, or why there is none. */
  const open = (unit: string, folder: string): Watcher | string => {
    try {
      const watcher = openOne(folder, (name) => heard(unit, folder, name));
      // A folder that is removed takes its watch along; the next look at the unit finds that out.
      watcher.on('error', (err) =>
        log.warn({ folder, err: messageOf(err) }, 'folder is not watched any more'),
      );
      return watcher;
    } catch (err) {
      return messageOf(err);
    }
  };
  /** Said when it begins and when it is over, and not with every look. */
  const say = (unit: string, watched: Watched, refused: string[]) => {
    const [err = null] = refused;
    const had = watched.said;
    watched.said = err;
    if (err !== null && had === null)
      log.warn(
        { unit, folders: refused.length, err },
        'folders cannot be watched; the sweep looks after them',
      );
    if (err === null && had !== null) log.info({ unit }, 'all folders are watched again');
  };
  const follow = (unit: string, watched: Watched) => {
    const { wanted } = watched;
    for (const [folder, { ino, watcher }] of watched.folders) {
      if (wanted.has(folder) && statOf(folder)?.ino === ino) continue;
      watcher.close();
      watched.folders.delete(folder);
    }
    const refused: string[] = [];
    for (const folder of [...wanted].slice(0, MOST_FOLDERS)) {
      const ino = statOf(folder)?.ino;
      if (ino === undefined || watched.folders.has(folder)) continue;
      const watcher = open(unit, folder);
      if (typeof watcher === 'string') refused.push(watcher);
      else watched.folders.set(folder, { ino, watcher });
    }
    say(unit, watched, refused);
  };
  const drop = (unit: string) => {
    for (const { watcher } of units.get(unit)?.folders.values() ?? []) watcher.close();
    units.delete(unit);
  };
  return {
    start: (call) => {
      changed = call;
      running = true;
      return async () => {
        running = false;
        for (const unit of [...units.keys()]) drop(unit);
        await settled.stop();
      };
    },
    set: (unit, expected, disk) => {
      if (expected.length === 0 || !running) return drop(unit);
      const watched = units.get(unit) ?? startOf(disk);
      watched.disk = disk;
      if (watched.expected !== expected) {
        watched.expected = expected;
        watched.places = new Map(expected.map((one) => [one.place, one]));
        watched.wanted = new Set(expected.map(({ place }) => dirname(place)));
      }
      units.set(unit, watched);
      follow(unit, watched);
    },
  };
}

const startOf = (disk: Watched['disk']): Watched => ({
  disk,
  expected: [],
  places: new Map(),
  wanted: new Set(),
  folders: new Map(),
  said: null,
  touched: new Set(),
});

/** A name in the folder, or the folder itself. */
function touch(watched: Watched, folder: string, name: string): void {
  if (watched.touched === null) return;
  const place = join(folder, name);
  if (watched.places.has(place)) watched.touched.add(place);
  else if (name === basename(folder) && statOf(folder) === undefined) watched.touched = null;
  if (watched.touched && watched.touched.size > BURST) watched.touched = null;
}

/** Whether anything that was touched is not as it should be; begins to gather anew. */
function takeTouched(watched: Watched): boolean {
  const { touched, places, disk } = watched;
  watched.touched = new Set();
  if (touched === null) return true;
  return [...touched].some((place) => {
    const expected = places.get(place);
    return expected !== undefined && disk.differs(expected);
  });
}
