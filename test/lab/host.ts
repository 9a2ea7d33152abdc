/** The machine under the lab: what it must have, and the one way in which the lab runs programs on it. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

export const checkout = resolve(import.meta.dirname, '..', '..');
export const bundle = (name: 'agent' | 'manager' | 'cli'): string => join(checkout, 'dist', `${name}.js`);

/** Root's tools are not in everybody's PATH. */
export const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`;

/** Runs a program of the host to its end; returns what it said. @throws with its words when it fails */
export function run(program: string, args: string[], { timeout = 20_000 } = {}): string {
  return execFileSync(program, args, {
    timeout,
    encoding: 'utf8',
    env: { ...process.env, PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The kernel of every box: Debian's User-Mode Linux. */
export const KERNEL = 'linux.uml';

const needed = [KERNEL, 'uml_mconsole', 'unshare', 'ip', 'tc', 'ethtool', 'mkfs.ext4', 'insmod'];

/** What is asked of the machine. */
export interface Machine {
  isRoot: boolean;
  isInstalled(program: string): boolean;
  isUsable(device: string): boolean;
}

export const thisMachine: Machine = {
  isRoot: process.getuid?.() === 0,
  isInstalled: (program) =>
    PATH.split(':').some((folder) => folder !== '' && existsSync(join(folder, program))),
  isUsable: (device) => {
    try {
      accessSync(device, constants.R_OK | constants.W_OK);
      return true;
    } catch {
      return false; // why is of no use to whoever asks: there is no such device for us
    }
  },
};

/** Why boxes cannot be had on a machine, in words; nothing when they can. */
export function obstacles({ isRoot, isInstalled, isUsable }: Machine = thisMachine): string[] {
  if (!isRoot) return ['network namespaces and taps need root'];
  const missing = needed.filter((program) => !isInstalled(program));
  return [
    ...(missing.length === 0
      ? []
      : [`missing: ${missing.join(', ')}; sh scripts/ready.sh lab installs them`]),
    ...(isUsable('/dev/net/tun') ? [] : ['there is no /dev/net/tun, of which every box needs a tap']),
  ];
}

/** What a run of the tests says of suites that this machine cannot run, and whether that fails it; nothing when it can. */
export function leaveOut(
  suites: string[],
  machine: Machine = thisMachine,
): { line: string; code: 0 | 1 } | undefined {
  const why = obstacles(machine);
  if (why.length === 0) return undefined;
  const line = `LEFT OUT: ${suites.length} suites on real boxes (${suites.join(', ')}): ${why.join('; ')}`;
  // Who is not root gets what he can have; root has asked for all of it.
  return { line, code: machine.isRoot ? 1 : 0 };
}
