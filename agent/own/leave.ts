/** What becomes of one unit when its box leaves: it goes with all that it asked for, or it stays as plain files. */
import { readlink, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { linkAtomic, makeFolder, readRegular, syncFolder, writeFileAtomic } from '../../common/files.ts';
import { activeManifest } from '../converge/plan.ts';
import { withdraw } from '../converge/remove.ts';
import type { ServiceDriver } from '../drivers/driver.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Places } from '../state/places.ts';
import type { RecordFile } from '../state/record.ts';
import { PLAIN, type Trees } from '../state/trees.ts';

export interface OwnUnit {
  name: string;
  trees: Trees;
  record: RecordFile;
}

export interface LeaveTools {
  driver: ServiceDriver;
  kernel: Pick<Kernel, 'apply' | 'isOwing'>;
  places: Pick<Places, 'remove'>;
}

/** Its addresses, mounts and daemons are taken away; done again, it does nothing. */
export async function goUnit(unit: OwnUnit, tools: LeaveTools): Promise<void> {
  await withdraw(unit, tools);
  await unit.trees.deactivate();
  // Its trees may hold what only the cluster should know: passwords of VRRP, certificates of balancers.
  await rm(unit.trees.folder, { recursive: true, force: true });
}

/**
 * Links into the tree become the files that they led to, and `current` leads to a folder of plain files that nobody
 * but the owner of the box writes any more. The daemon notices nothing.
 */
export async function keepPlain({ trees }: OwnUnit): Promise<void> {
  const active = await activeManifest(trees);
  // It was done before, or a hand has led `current` elsewhere: then it is the owner's already.
  if (active === null) return;
  const plain = join(trees.folder, PLAIN);
  const led = new Map(trees.links(active).map((link) => [link.path, link]));
  const folders = new Set([plain]);
  await rm(plain, { recursive: true, force: true });
  for (const file of active.files) {
    const bytes = await readRegular(trees.place(file, active.digest));
    if (!file.live) {
      const target = join(plain, file.name);
      await makeFolder(dirname(target));
      folders.add(dirname(target));
      await writeFileAtomic(target, bytes, { mode: file.mode, sync: 'later' });
    }
    const link = led.get(file.path);
    if (link !== undefined && (await readlink(link.place).catch(() => null)) === link.target)
      await writeFileAtomic(link.place, bytes, { mode: file.mode });
  }
  for (const folder of folders) await syncFolder(folder);
  await linkAtomic(PLAIN, join(trees.folder, 'current'));
  await rm(join(trees.folder, 'trees'), { recursive: true, force: true });
}
