/** The checks kernel-modules and nfs: whether the kernel of the box can do what the roles ask of it (I54: a virtual box may not be permitted to). */
import { fail, pass, skip, warn } from '../../../common/findings.ts';
import type { CheckName, Finding } from '../../../protocol/preflight.ts';
import { type Asked, type Check, NOBODY_SAID } from '../asked.ts';
import type { Box } from '../box.ts';

const FILE_SYSTEMS: Record<string, string> = { nfsd: 'nfsd', nfsv4: 'nfs4' };

const isNfs = (module: string) => module.startsWith('nfs');

type Able = 'there' | 'loadable' | 'no';

async function ableTo(box: Box, module: string): Promise<Able> {
  const own = module.replaceAll('-', '_');
  const system = FILE_SYSTEMS[module];
  const systems = (await box.read('/proc/filesystems')) ?? '';
  if (system !== undefined && new RegExp(`^(nodev)?\\s*${system}$`, 'm').test(systems)) return 'there';
  if (module === 'ip_vs' && (await box.read('/proc/net/ip_vs')) !== null) return 'there';
  if (((await box.read('/proc/modules')) ?? '').split('\n').some((line) => line.startsWith(`${own} `)))
    return 'there';
  const builtIn = (await box.read(`/lib/modules/${box.release}/modules.builtin`)) ?? '';
  const isBuiltIn = builtIn
    .split('\n')
    .some((line) => line.split('/').at(-1)?.replaceAll('-', '_') === `${own}.ko`);
  if (isBuiltIn) return 'there';
  // Only says what it would do.
  const dry = await box.run(['modprobe', '-n', '-q', module]);
  return dry?.status === 0 ? 'loadable' : 'no';
}

/** `lxc`, `docker`; null on a box with a kernel of its own. */
async function containerOf(box: Box): Promise<string | null> {
  const named = (await box.read('/run/systemd/container'))?.trim();
  if (named) return named;
  return (await box.read('/run/.containerenv')) !== null || (await box.read('/.dockerenv')) !== null
    ? 'a container'
    : null;
}

interface Wanted {
  name: CheckName;
  modules: string[];
  why: string;
  /** What nothing declared asks for yet is no failure. */
  missing?: typeof fail;
}

async function judged({ name, modules, why, missing: say = fail }: Wanted, { box }: Asked): Promise<Finding> {
  const able = await Promise.all(modules.map(async (module) => ({ module, is: await ableTo(box, module) })));
  const container = await containerOf(box);
  const named = (...ways: Able[]) => able.filter(({ is }) => ways.includes(is)).map(({ module }) => module);
  // The kernel of a container is another box's, and loads nothing for it.
  const missing = container === null ? named('no') : named('no', 'loadable');
  if (missing.length === 0) return pass(name, `the kernel has ${modules.join(', ')}`);
  const list = missing.join(', ');
  if (container !== null)
    return say(name, `${list} is not loaded, and this is ${container}`, {
      why,
      fix: 'load it on the host, and let the host permit its use; or use a virtual machine',
      command: `modprobe -a ${missing.join(' ')}`,
    });
  return say(name, `the kernel ${box.release} lacks ${list}`, {
    why,
    fix: 'install the whole kernel of the distribution and reboot; kernels of some clouds and of virtual boxes leave it out',
    command: `modprobe -a ${missing.join(' ')}`,
  });
}

export const kernelModules: Check = (asked) => {
  if (!asked.needs) return skip('kernel-modules', NOBODY_SAID);
  const modules = asked.needs.modules.filter((module) => !isNfs(module));
  if (modules.length === 0) return pass('kernel-modules', 'the roles need none');
  const why = 'the balancer needs it to hand packets on';
  return judged({ name: 'kernel-modules', modules, why }, asked);
};

export const nfs: Check = (asked) => {
  if (!asked.needs) return skip('nfs', NOBODY_SAID);
  const modules = asked.needs.modules.filter(isNfs);
  if (modules.length === 0) return pass('nfs', 'the roles neither mount nor export');
  if (modules.includes('nfsd'))
    return judged({ name: 'nfs', modules, why: 'it cannot be a file server' }, asked);
  return asked.needs.storages.length > 0
    ? judged({ name: 'nfs', modules, why: 'site data cannot be mounted' }, asked)
    : judged(
        { name: 'nfs', modules, why: 'a storage, once one is declared, could not be mounted', missing: warn },
        asked,
      );
};
