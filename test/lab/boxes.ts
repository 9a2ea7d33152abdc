/** Boxes on networks of their own: made together, healed together, their logs saved, and nothing left of them. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createGuest, type Guest, type GuestOptions } from './guest.ts';
import { checkout, obstacles } from './host.ts';
import { createLan, type Lan, letVisitorsIn } from './lan.ts';
import { refuseOutside } from './namespace.ts';

/** Their addresses follow their order: 10.77.0.11, .12 and so on, unless `host` says another. */
export type BoxOptions = Omit<GuestOptions, 'host'> & { host?: number };

export interface Boxes {
  /** On the host: a folder for each box, and whatever else belongs to them. */
  readonly folder: string;
  readonly lans: readonly Lan[];
  readonly all: readonly Guest[];
  box(name: string): Guest;
  /** Boots all that are off, in parallel. */
  boot(): Promise<void>;
  /** Undoes what was done to them: power, cables, slowness, clocks, freezing. Not what was done in them. */
  heal(): Promise<void>;
  /** Copies the logs of all boxes; of those that are off, what is on the host. */
  saveLogs(to: string): Promise<void>;
  /** Ends all of them, and removes the folder. */
  stop(): Promise<void>;
}

export interface GroundOptions {
  /** How many networks there are: every box has a card in each. */
  networks?: number;
  /**
   * Must be short, for Unix sockets are in it. By default it is on a memory disk of the lab's namespaces (inside.sh),
   * which is gone with them, whoever is killed.
   */
  folder?: string;
}

const FIRST_HOST = 11;

/** Makes the networks and the boxes, without power. @throws when this machine cannot have any, and why */
export function createBoxes(
  options: readonly BoxOptions[],
  { networks = 1, ...ground }: GroundOptions = {},
): Boxes {
  refuseOutside();
  const why = obstacles();
  if (why.length > 0) throw new Error(`no boxes on this machine: ${why.join('; ')}`);
  const folder = ground.folder ?? mkdtempSync('/dev/shm/lab-');
  mkdirSync(folder, { recursive: true });
  const lans = Array.from({ length: networks }, (_, nr) => createLan(nr));
  letVisitorsIn();
  const all = options.map((one, at) => createGuest({ host: FIRST_HOST + at, ...one }, lans, folder));
  const on = () => all.filter(({ isOn }) => isOn);
  return {
    folder,
    lans,
    all,
    box: (name) => {
      const found = all.find((guest) => guest.name === name);
      if (!found)
        throw new Error(`there is no box ${name}; there are ${all.map((one) => one.name).join(', ')}`);
      return found;
    },
    boot: async () => {
      await Promise.all(all.filter(({ isOn }) => !isOn).map((guest) => guest.boot()));
    },
    heal: async () => {
      await Promise.all(all.map(heal));
    },
    saveLogs: async (to) => {
      await Promise.all(on().map(bringOut));
      for (const guest of all) copyLogs(guest, join(to, guest.name));
    },
    stop: async () => {
      await Promise.all(on().map((guest) => guest.powerCut()));
      for (const lan of lans) lan.remove();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Where the logs of what failed are kept, those of its last failure only. */
export function failedFolder(what: string): string {
  const name = what.replace(/[^A-Za-z0-9.-]+/g, '-').slice(0, 80);
  const folder = join(checkout, 'var', 'lab-failed', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

async function heal(guest: Guest): Promise<void> {
  guest.join();
  if (!guest.isOn) {
    await guest.boot();
    return;
  }
  guest.thaw();
  await guest.fast();
  await guest.skew(0);
}

/** What daemons have written is in the box alone. One that hangs keeps its own. */
async function bringOut(guest: Guest): Promise<void> {
  const script = 'for at in /var/log/evenkeel /var/log/nginx; do [ ! -d $at ] || cp -r $at /lab/log/; done';
  await guest.sh(script, { timeout: 5000 }).catch((err: unknown) => {
    process.stderr.write(`lab: the logs in ${guest.name} could not be had: ${String(err).split('\n')[0]}\n`);
  });
}

function copyLogs(guest: Guest, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const name of ['console.log', 'log'].filter((part) => existsSync(join(guest.folder, part))))
    cpSync(join(guest.folder, name), join(to, name), { recursive: true });
}
