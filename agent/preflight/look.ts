/** What a box says of itself to the manager that judges it: its operating system, its addresses, its clock. */
import type { BoxLook } from '../../protocol/preflight.ts';
import type { Box } from './box.ts';

const MOST = 40;

/** `KEY=value` of /etc/os-release, in quotes or not. */
function valueIn(text: string, key: string): string {
  const line = text.split('\n').find((one) => one.startsWith(`${key}=`));
  return line === undefined ? '' : line.slice(key.length + 1).replace(/^(["'])(.*)\1$/, '$2');
}

const FAMILIES = { debian: ['debian', 'ubuntu'], rhel: ['rhel', 'centos', 'fedora'] } as const;

/** @param release the text of /etc/os-release */
export function osIn(release: string): BoxLook['os'] {
  const id = valueIn(release, 'ID') || 'unknown';
  const like = [id, ...valueIn(release, 'ID_LIKE').split(' ')];
  const isOf = (family: 'debian' | 'rhel') => like.some((one) => FAMILIES[family].some((own) => own === one));
  const family = isOf('debian') ? 'debian' : isOf('rhel') ? 'rhel' : 'other';
  return { id: id.slice(0, MOST), version: valueIn(release, 'VERSION_ID').slice(0, MOST), family };
}

export async function lookOf(box: Box): Promise<BoxLook> {
  const os = osIn((await box.read('/etc/os-release')) ?? (await box.read('/usr/lib/os-release')) ?? '');
  const addresses = box.addresses().map((one) => ({
    ...one,
    // The part after % says through which card, not where.
    address: one.address.replace(/%.*$/, ''),
    device: one.device.slice(0, MOST),
  }));
  return { os, arch: box.arch, addresses: addresses.slice(0, 1000), clock: Math.round(box.now()) };
}
