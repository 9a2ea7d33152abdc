/** A bare Debian for boxes that boot with systemd, and the packages that they may install: made once, kept in var/. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { checkout, run } from './host.ts';

/** What a box has from the beginning: the smallest Debian, and systemd. Neither curl nor `ip`. */
const SUITE = 'bookworm';
const INCLUDED = ['systemd', 'systemd-sysv', 'dbus', 'kmod'];
/** What boxes of the suites install, with all that it depends on: the boxes have no internet. */
const OFFERED = [
  'curl',
  'libsqlite3-0',
  'nginx-light',
  'apache2',
  'haproxy',
  'iproute2',
  'keepalived',
  'ipvsadm',
  'nfs-common',
  'rsync',
];

/** What is in the furnished Debian already, and started by nobody: for suites that are not about packages. */
const FURNISHED = [
  'curl',
  'libsqlite3-0',
  'nginx',
  'iproute2',
  'iptables',
  'keepalived',
  'ipvsadm',
  'nfs-common',
  'kmod',
];

const LONGEST_MS = 10 * 60_000;

export interface Roots {
  /** The folder of the Debian. */
  root: string;
  /** That of one which has the packages of a web node and of a director. */
  furnished: string;
  /** A folder that apt takes packages from: `deb [trusted=yes] http://HOST:PORT/ ./`. */
  packages: string;
}

const recipe = JSON.stringify({ SUITE, INCLUDED, OFFERED, FURNISHED });
const place = join(
  checkout,
  'var',
  'lab-roots',
  createHash('sha256').update(recipe).digest('hex').slice(0, 12),
);

/** What was made. @throws when nobody has */
export function roots(): Roots {
  if (!existsSync(place))
    throw new Error('there is no Debian for boxes: makeRoots() makes one, outside of the lab');
  return {
    root: join(place, 'root'),
    furnished: join(place, 'furnished'),
    packages: join(place, 'packages'),
  };
}

/** Makes what is missing; needs the internet, which there is none of inside the lab. */
export function makeRoots(): Roots {
  if (!existsSync(place)) make();
  return roots();
}

function make(): void {
  const fresh = `${place}.new`;
  rmSync(fresh, { recursive: true, force: true });
  const packages = join(fresh, 'packages');
  mkdirSync(packages, { recursive: true });
  const within = `apt-get -qq update && apt-get -qq -y --no-install-recommends --download-only install ${OFFERED.join(' ')}`;
  debootstrap(INCLUDED, join(fresh, 'root'), [
    `--customize-hook=chroot "$1" sh -c '${within}'`,
    `--customize-hook=mv "$1"/var/cache/apt/archives/*.deb ${packages}/`,
  ]);
  const off = 'systemctl disable --quiet nginx keepalived ipvsadm';
  debootstrap([...INCLUDED, ...FURNISHED], join(fresh, 'furnished'), [
    `--customize-hook=chroot "$1" sh -c '${off}'`,
  ]);
  writeFileSync(join(packages, 'Packages'), indexOf(packages));
  renameSync(fresh, place);
}

function debootstrap(included: string[], to: string, hooks: string[]): void {
  const words = ['--quiet', '--mode=root', '--variant=minbase', `--include=${included.join(',')}`];
  // The boxes take their packages from the lab alone.
  const last = '--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/var/lib/apt/lists/*';
  run('mmdebstrap', [...words, ...hooks, last, SUITE, to], { timeout: LONGEST_MS });
}

/** As apt reads a flat repository; files get names that need no escaping in a URL. */
function indexOf(folder: string): string {
  const debs = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  return debs
    .map((name) => {
      const file = join(folder, name);
      const sum = createHash('sha256').update(readFileSync(file)).digest('hex');
      const fields = run('dpkg-deb', ['--field', file]).trimEnd();
      const plain = `${sum.slice(0, 32)}.deb`;
      renameSync(file, join(folder, plain));
      return `${fields}\nFilename: ./${plain}\nSize: ${statSync(join(folder, plain)).size}\nSHA256: ${sum}\n`;
    })
    .join('\n');
}
