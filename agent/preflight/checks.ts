/** All checks that the box itself makes, in one list: before it joins, and as a member. */
import { merged } from '../../common/findings.ts';
import type { Finding } from '../../protocol/preflight.ts';
import type { Asked } from './asked.ts';
import { addresses } from './checks/addresses.ts';
import { disk } from './checks/disk.ts';
import { homeLayout } from './checks/home-layout.ts';
import { kernelModules, nfs } from './checks/kernel.ts';
import { os } from './checks/os.ts';
import { packages } from './checks/packages.ts';
import { portsTaken } from './checks/ports-taken.ts';
import { quota } from './checks/quota.ts';
import { systemd } from './checks/systemd.ts';
import { vipOnLo } from './checks/vip-on-lo.ts';

const checks = [os, addresses, disk, kernelModules, nfs, homeLayout, quota, packages, systemd, vipOnLo];

/** @param health the port of the health listener, as far as it is known */
export async function lookedAt(asked: Asked, health?: number): Promise<Finding[]> {
  const all = [...checks, portsTaken(health)];
  return merged((await Promise.all(all.map(async (check) => check(asked)))).flat());
}
