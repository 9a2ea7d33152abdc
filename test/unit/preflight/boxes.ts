/** Recorded boxes: what preflight read of them, played back. Texts are those of real boxes, cut to what is read. */
import type { Asked } from '../../../agent/preflight/asked.ts';
import type { Address, Box, Ran, Space } from '../../../agent/preflight/box.ts';
import { osIn } from '../../../agent/preflight/look.ts';
import type { Needs } from '../../../protocol/preflight.ts';

export const DEBIAN = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
ID=debian
`;
export const ROCKY = `NAME="Rocky Linux"
VERSION="9.4 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.4"
`;
export const UBUNTU = `NAME="Ubuntu"
VERSION_ID="24.04"
ID=ubuntu
ID_LIKE=debian
`;
export const ALPINE = `NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.20.1
`;

/** A box with nothing but sshd; nothing listens at 80. */
export const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1061 1 0000 100 0 0 10 0
   1: 0B4D000A:0016 0100000A:C3A8 01 00000000:00000000 02:00021E3B 00000000     0        0 9001 4 0000 20 4 30 10 -1
`;
/** Apache of the distribution, on every address by IPv6. */
export const TCP6_APACHE = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21733 1 0000 100 0 0 10 0
`;

export const MOUNTS_PLAIN = `27 1 254:0 / / rw,relatime - ext4 /dev/vda1 rw,discard
24 27 0:6 / /dev rw,relatime - devtmpfs devtmpfs rw,size=12334492k
`;
export const MOUNTS_HOME = `${MOUNTS_PLAIN}31 27 254:17 / /home rw,relatime - ext4 /dev/vdb1 rw
`;
export const MOUNTS_NFS = `${MOUNTS_PLAIN}44 27 0:51 / /chroot/home rw,relatime - nfs4 10.0.0.40:/data/home rw,vers=4.2,hard
`;
export const MOUNTS_DATA = (
  options: string,
) => `${MOUNTS_PLAIN}31 27 254:17 / /data rw,relatime - ext4 /dev/vdb1 ${options}
`;

const GIB = 1024 ** 3;

export interface Recorded {
  files?: Record<string, string>;
  at?: Record<string, { link: string } | { entries: string[] } | 'file'>;
  /** By the whole command; what is not recorded is not installed. */
  runs?: Record<string, Ran>;
  space?: Space;
  addresses?: Address[];
  holders?: Record<string, string>;
  shut?: Record<number, string>;
}

/** A sound Debian, but for what is given. */
export const boxOf = (recorded: Recorded = {}): Box => {
  const files: Record<string, string> = {
    '/etc/os-release': DEBIAN,
    '/proc/net/tcp': TCP,
    '/proc/net/tcp6': '',
    '/proc/self/mountinfo': MOUNTS_PLAIN,
    '/proc/filesystems': 'nodev\tsysfs\n\text4\nnodev\tnfs4\nnodev\tnfsd\n',
    '/proc/modules': 'ip_vs 192512 0 - Live 0x0000000000000000\n',
    ...recorded.files,
  };
  return {
    ...{ hostname: 'box', arch: 'x64', release: '6.1.0-18-amd64', now: () => 1_790_000_000_000 },
    read: async (file) => files[file] ?? null,
    at: async (path) => ({ '/proc/sys/fs/quota': { entries: [] }, ...recorded.at })[path] ?? null,
    space: async () => recorded.space ?? { free: 20 * GIB, inodes: 1_000_000, freeInodes: 900_000 },
    addresses: () =>
      recorded.addresses ?? [
        { device: 'lo', address: '127.0.0.1', prefix: 8 },
        { device: 'eth0', address: '10.0.0.13', prefix: 24 },
      ],
    run: async (command) => recorded.runs?.[command.join(' ')] ?? null,
    connect: async (_, port) => recorded.shut?.[port] ?? null,
    listen: async () => async () => undefined,
    holders: async (inodes) =>
      new Map(
        inodes.flatMap((inode) => (recorded.holders?.[inode] ? [[inode, recorded.holders[inode]]] : [])),
      ),
  };
};

export const NOTHING: Needs = {
  ...{ packages: { debian: [], rhel: [] }, modules: [], ports: [], storages: [], vips: [] },
};

export const askedOf = (
  recorded: Recorded,
  { needs = {}, ...more }: Partial<Omit<Asked, 'needs'>> & { needs?: Partial<Needs> } = {},
): Asked => {
  const box = boxOf(recorded);
  const os = osIn(recorded.files?.['/etc/os-release'] ?? DEBIAN);
  return {
    ...{ box, address: '10.0.0.13', member: false, service: 'direct' },
    look: { os, arch: box.arch, addresses: box.addresses(), clock: box.now() },
    paths: { state: '/var/lib/evenkeel', run: '/run/evenkeel', log: '/var/log/evenkeel' },
    needs: { ...NOTHING, ...needs },
    ...more,
  };
};
