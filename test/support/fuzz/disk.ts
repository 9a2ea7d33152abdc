/** What a death leaves on the disk of a node: all of it, a torn last line, or bytes that have changed. */
import { existsSync } from 'node:fs';
import { open, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

/** How often each comes of a death. */
export const diskFaults = [
  { fault: 'none', weight: 6 },
  { fault: 'torn', weight: 3 },
  { fault: 'damaged', weight: 1 },
] as const;
export type DiskFault = (typeof diskFaults)[number]['fault'];

export async function breakDisk(state: string, fault: DiskFault): Promise<void> {
  const file = join(state, 'desired.log');
  if (fault === 'none' || !existsSync(file)) return;
  const { size } = await stat(file);
  if (fault === 'torn') await truncate(file, Math.max(0, size - 3));
  else await flip(file, Math.floor(size / 2));
}

async function flip(file: string, at: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    await handle.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
  } finally {
    await handle.close();
  }
}
