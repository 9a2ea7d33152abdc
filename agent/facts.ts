/** Facts: what a box says of itself when it joins. They never choose what it does. */
import { hostname } from 'node:os';
import { VERSION } from '../common/version.ts';
import type { Facts } from '../protocol/messages.ts';
import { PROTOCOL } from '../protocol/version.ts';

/** @param own what the box's own config says: the address and the folders; and what it sees of itself */
export async function factsOf(own: Pick<Facts, 'address' | 'paths' | 'box'>): Promise<Facts> {
  // Only a box that joins needs it: an agent that is a member does without its memory.
  const { osInfo } = await import('systeminformation');
  const { distro, release } = await osInfo();
  return {
    hostname: hostname(),
    os: `${distro} ${release}`.slice(0, 200),
    arch: process.arch,
    agent: VERSION,
    protocol: PROTOCOL,
    ...own,
  };
}
