/** What a box is, in words, for whoever asks now. What it is judged by is in look.ts. */
import { cpus, totalmem, uptime } from 'node:os';
import { VERSION } from '../../common/version.ts';
import { PROTOCOL } from '../../protocol/version.ts';
import type { Box } from './box.ts';
import { lookOf } from './look.ts';

const GIB = 1024 ** 3;

/** A line a fact, its name first. */
export async function factsText(box: Box): Promise<string> {
  const { os, arch, addresses, clock } = await lookOf(box);
  const lines: [name: string, fact: string][] = [
    ['hostname', box.hostname],
    ['os', `${os.id} ${os.version}`.trim()],
    ['kernel', `${box.release} ${arch}`],
    ['cpus', String(cpus().length)],
    ['memory', `${(totalmem() / GIB).toFixed(1)} GiB`],
    ['booted', new Date(clock - uptime() * 1000).toISOString()],
    ['clock', new Date(clock).toISOString()],
    ['agent', `${VERSION}, protocol ${PROTOCOL}`],
    ...addresses.map(
      ({ device, address, prefix }) => ['address', `${device} ${address}/${prefix}`] as [string, string],
    ),
  ];
  return lines.map(([name, fact]) => `${name.padEnd(9)} ${fact}\n`).join('');
}
