/** One box: a User-Mode Linux with a kernel, files, addresses and a clock of its own, and all that can befall it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { tailOf } from '../../cli/sandbox/logs.ts';
import { type Channel, createChannel, type Ended } from './channel.ts';
import { checkout, KERNEL, PATH, run } from './host.ts';
import { address6In, addressIn, type Lan, LONGEST_NAME } from './lan.ts';

/** What a box is made of. */
export interface GuestOptions {
  name: string;
  /** The last number of its addresses, from 2. */
  host: number;
  /** Memory, in MB. */
  mem?: number;
  /** Size of a disk image in MB, on which all that it writes survives a power cut. Without one it begins anew. */
  disk?: number;
  /** Size of a second image in MB, mounted on /data with quotas: unlike its root, NFS can export it. */
  data?: number;
  /** The folder of a Debian of its own, which boots with systemd (roots.ts); by default it runs on the host's files. */
  root?: string;
  /** Whether it has a terminal, on which people may open a shell. */
  terminal?: boolean;
}

/** What `slow` does to all that leaves the box. */
export interface Slowness {
  /** As tc writes it: `100ms`. */
  delay?: string;
  /** `5%` */
  loss?: string;
  /** `1mbit` */
  rate?: string;
}

export interface Guest {
  readonly name: string;
  /** In the first network. */
  readonly address: string;
  readonly address6: string;
  /** On the host; the box has it as /lab. Its logs are in there. */
  readonly folder: string;
  /** Whether its power is on. */
  readonly isOn: boolean;
  /** Starts it, again after a power cut or `off`; returns the milliseconds until it took commands. */
  boot(): Promise<number>;
  /** Runs a script, by default for at most 30 s. */
  sh(script: string, options?: { timeout?: number }): Promise<Ended>;
  /** The same; returns what it said. @throws when it ends with anything but 0 */
  run(script: string, options?: { timeout?: number }): Promise<string>;
  /** Keeps a script's process running, and starts it again when it ends and after each boot. Log: /lab/log/NAME.log. */
  keep(name: string, script: string): Promise<void>;
  /** Kills a kept process with SIGKILL, for good unless `again`. */
  killKept(name: string, options?: { again?: boolean }): Promise<void>;
  /** Starts a kept process that was killed for good. */
  keepAgain(name: string): Promise<void>;
  /** The plug is pulled: what was not synced is lost. */
  powerCut(): Promise<void>;
  /** Shut down in order. */
  off(): Promise<void>;
  /** Stops its kernel where it is, as a hung machine does. */
  freeze(): void;
  thaw(): void;
  /** Out of its networks, as by a pulled cable; `lan` for one of two. */
  cut(lan?: number): void;
  join(lan?: number): void;
  slow(how: Slowness, lan?: number): Promise<void>;
  fast(lan?: number): Promise<void>;
  /** Sets its clock apart from the host's by so many seconds; 0 sets it right. */
  skew(seconds: number): Promise<void>;
  /** Its terminal, when it was made with one. */
  terminal(): Duplex | undefined;
}

const BOOT_MS = 60_000;
/** systemd starts many processes, and each takes its time in a box. */
const BOOT_SYSTEMD_MS = 180_000;
const OFF_MS = 20_000;
const SHELL_MS = 30_000;

interface Life {
  process: ChildProcess;
  channel: Channel;
  terminal: Duplex | undefined;
  gone: Promise<void>;
}

/**
 * Makes a box, without its power on.
 * @param ground the folder of all boxes
 */
export function createGuest(options: GuestOptions, lans: readonly Lan[], ground: string): Guest {
  const { name, host } = options;
  if (!/^[a-z][a-z0-9-]*$/.test(name) || name.length > LONGEST_NAME)
    throw new Error(`${name} is no name for a box: at most ${LONGEST_NAME} of a-z, 0-9 and -`);
  const folder = join(ground, name);
  for (const part of ['log', 'keep']) mkdirSync(join(folder, part), { recursive: true });
  copyFileSync(join(import.meta.dirname, 'box', 'init2.sh'), join(folder, 'init2.sh'));
  const taps = lans.map((lan) => lan.port(name));
  const place = { ...options, folder, sockets: join(ground, 'u'), taps };
  const chosen = (nr?: number) => lans.filter((lan) => nr === undefined || lan.nr === nr);
  let life: Life | undefined;
  /** What was done to it and holds until it is undone, or its power goes. */
  const wounds = new Set<'frozen' | 'slow' | 'skewed'>();
  const living = (): Life => {
    if (!life) throw new Error(`${name} is off`);
    return life;
  };
  const sh: Guest['sh'] = (script, { timeout = SHELL_MS } = {}) => living().channel.sh(script, timeout);
  const must: Guest['run'] = async (script, how) => {
    const { code, stdout, stderr } = await sh(script, how);
    if (code !== 0) throw new Error(`${name}: ended with ${code}:\n${script}\n${stdout}${stderr}`);
    return stdout;
  };
  const mconsole = (verb: string) => {
    run('uml_mconsole', [join(place.sockets, name, 'mconsole'), verb]);
  };
  const boot = async (): Promise<number> => {
    if (life) throw new Error(`${name} is on already`);
    const began = performance.now();
    const started = start(place);
    life = started;
    started.gone = ended(started.process).then(() => {
      life = undefined;
      wounds.clear();
      started.channel.close(`went off; its console ends:\n${tailOf(join(folder, 'console.log'), 12)}`);
    });
    await within(options.root === undefined ? BOOT_MS : BOOT_SYSTEMD_MS, started.channel.ready, () =>
      powerCut(),
    );
    return Math.round(performance.now() - began);
  };
  const powerCut = async (): Promise<void> => {
    const { process: child, gone } = living();
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await gone;
  };
  return {
    name,
    address: addressIn(0, host),
    address6: address6In(0, host),
    folder,
    get isOn() {
      return life !== undefined;
    },
    boot,
    sh,
    run: must,
    ...keeping(folder, must, () => living().channel),
    powerCut,
    off: async () => {
      const { channel, gone } = living();
      channel.say('poweroff');
      await within(OFF_MS, gone, powerCut);
    },
    freeze: () => {
      mconsole('stop');
      wounds.add('frozen');
    },
    thaw: () => {
      if (wounds.delete('frozen')) mconsole('go');
    },
    cut: (nr) => {
      for (const lan of chosen(nr)) lan.cut(name);
    },
    join: (nr) => {
      for (const lan of chosen(nr)) lan.join(name);
    },
    slow: async (how, nr) => {
      for (const lan of chosen(nr)) await must(`tc qdisc replace dev vec${lan.nr} root ${netemOf(how)}`);
      wounds.add('slow');
    },
    fast: async (nr) => {
      if (!wounds.has('slow')) return;
      for (const lan of chosen(nr)) await must(`tc qdisc del dev vec${lan.nr} root 2>/dev/null || true`);
      if (nr === undefined) wounds.delete('slow');
    },
    skew: async (seconds) => {
      if (seconds === 0 && !wounds.delete('skewed')) return;
      await must(`date -s @${Math.round(Date.now() / 1000) + seconds}`);
      if (seconds !== 0) wounds.add('skewed');
    },
    terminal: () => life?.terminal,
  };
}

/** In the box, since many a host's kernel has no netem. */
const netemOf = ({ delay, loss, rate }: Slowness): string =>
  ['netem', delay && `delay ${delay}`, loss && `loss ${loss}`, rate && `rate ${rate}`]
    .filter(Boolean)
    .join(' ');

type Keeping = Pick<Guest, 'keep' | 'killKept' | 'keepAgain'>;

/** The files by which init2.sh keeps processes are on the host, so that they outlive a power cut. */
function keeping(folder: string, must: Guest['run'], channel: () => Channel): Keeping {
  const keepAgain = async (name: string) => {
    rmSync(join(folder, 'keep', `${name}.off`), { force: true });
    channel().say(`keep ${name}`);
  };
  return {
    keep: async (name, script) => {
      await must(`cat >/lab/keep/${name}.sh <<'END-OF-KEPT'\n${script}\nEND-OF-KEPT\n`);
      await keepAgain(name);
    },
    killKept: async (name, { again = false } = {}) => {
      const off = again ? '' : `: >/lab/keep/${name}.off; `;
      await must(`${off}kill -9 "$(cat /lab/keep/${name}.pid)"`);
    },
    keepAgain,
  };
}

// --- the process ------------------------------------------------------------------------------------------

interface Place extends GuestOptions {
  folder: string;
  sockets: string;
  taps: string[];
}

/** Starts the kernel in a process group of its own, so that one signal is a power cut. */
function start(place: Place): Life {
  const { name, folder, sockets } = place;
  rmSync(join(sockets, name), { recursive: true, force: true });
  const images = imagesOf(place);
  const console = openSync(join(folder, 'console.log'), 'a');
  const child = spawn(KERNEL, kernelWords(place, images), {
    stdio: ['ignore', console, console, 'pipe', place.terminal ? 'pipe' : 'ignore'],
    detached: true,
    env: { PATH },
  });
  closeSync(console);
  const channel = createChannel(name, child.stdio[3] as Duplex, folder);
  const terminal = place.terminal ? (child.stdio[4] as unknown as Duplex) : undefined;
  terminal?.on('error', () => undefined);
  return { process: child, channel, terminal, gone: Promise.resolve() };
}

interface Image {
  word: string;
  file: string;
}

function imagesOf({ folder, disk, data }: Place): Image[] {
  const wanted: [string, string, number | undefined, string[]][] = [
    ['DISK', join(folder, 'disk.img'), disk, []],
    ['DATA', join(folder, 'data.img'), data, ['-O', 'quota']],
  ];
  return wanted.flatMap(([word, file, size, features]) => {
    if (size === undefined) return [];
    if (!existsSync(file)) makeImage(file, size, features);
    return [{ word, file }];
  });
}

/** Sparse: it takes as much as was written. */
function makeImage(file: string, size: number, features: string[]): void {
  run('truncate', ['-s', `${size}M`, file]);
  const quick = ['-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard'];
  run('mkfs.ext4', ['-q', '-F', ...quick, ...features, file]);
}

/** Words that the kernel does not know become environment of its PID 1. */
function kernelWords(place: Place, images: Image[]): string[] {
  const { name, host, folder, sockets, taps, root, terminal } = place;
  const { mem = root === undefined ? 192 : 384 } = place;
  return [
    ...[`mem=${mem}M`, `umid=${name}`, `uml_dir=${sockets}/`],
    ...['root=/dev/root', 'rootfstype=hostfs', 'rootflags=/', 'ro', 'quiet', 'panic=1'],
    ...['con=null', 'con0=fd:0,fd:1', 'ssl=null', 'ssl0=fd:3,fd:3', ...(terminal ? ['ssl1=fd:4,fd:4'] : [])],
    ...taps.map((tap, at) => `vec${at}:transport=tap,ifname=${tap},depth=128,gro=0`),
    ...images.flatMap(({ word, file }, at) => [
      `ubd${at}=${file}`,
      `${word}=/dev/ubd${String.fromCharCode(97 + at)}`,
    ]),
    ...[`NODE=${name}`, `HOST=${host}`, `NICS=${taps.length}`, `LABDIR=${folder}`, `HIDE=${checkout}`],
    ...(root === undefined ? [] : [`LOWER=${root}`]),
    ...(terminal ? ['SHELL_ON=ttyS1'] : []),
    `init=${join(import.meta.dirname, 'box', 'init.sh')}`,
  ];
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });

/** @param give up is called when it takes longer, and the wait then ends by it */
async function within<T>(ms: number, wait: Promise<T>, giveUp: () => Promise<void>): Promise<T> {
  const timer = setTimeout(() => void giveUp(), ms);
  try {
    return await wait;
  } finally {
    clearTimeout(timer);
  }
}
