/** `module ipip`: a module is loaded, or built in. It is never unloaded: others may use it since. */
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import { formerOf, type Look, type Thing } from './thing.ts';
import type { Words } from './words.ts';

/** A module without parameters that is built in has no folder below /sys, and stands in the kernel's list. */
function isThere(name: string, look: Look): boolean {
  const own = name.replaceAll('-', '_');
  if (existsSync(`/sys/module/${own}`)) return true;
  const builtIn = look.read(`/lib/modules/${release()}/modules.builtin`) ?? '';
  return builtIn.split('\n').some((line) => line.split('/').at(-1)?.replaceAll('-', '_') === `${own}.ko`);
}

export function parseModule(words: Words): Thing {
  const name = words.take('the name of a module', /^[a-z0-9][a-z0-9_-]{0,55}$/);
  const found = async (look: Look) => (isThere(name, look) ? null : '');
  return {
    id: `module ${name.replaceAll('-', '_')}`,
    needs: [{ list: 'modules', value: name }],
    found,
    former: (look) => formerOf(found(look)),
    make: (hands) => hands.call(['modprobe', name]),
    undo: async () => undefined,
  };
}
