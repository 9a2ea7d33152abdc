/** `sysctl net.ipv4.conf.all.arp_ignore 1`: a setting of the kernel, by dots, or by slashes where a name has a dot. */
import type { Look, Thing } from './thing.ts';
import type { Words } from './words.ts';

const KEY = /^[A-Za-z0-9_-]+(?:[./](?!\.)[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$/;

/** With a slash in it, a dot is a part of a name: `net/ipv4/conf/eth0.100/arp_ignore`. */
const pathOf = (key: string) => (key.includes('/') ? key : key.replaceAll('.', '/'));

export function parseSysctl(words: Words): Thing {
  const path = pathOf(words.take('the key of a setting', (word) => KEY.test(word) && !word.includes('..')));
  const value = words.take('a value', /^[A-Za-z0-9._:,-]{1,64}$/);
  const file = `/proc/sys/${path}`;
  const present = (look: Look) => look.read(file)?.trim().replaceAll(/\s+/g, ' ') ?? null;
  return {
    id: `sysctl ${path}`,
    needs: [{ list: 'sysctls', value: path.replaceAll('/', '.') }],
    found: async (look) => {
      const now = present(look);
      if (now === value) return null;
      return now === null ? '' : `sysctl ${path.replaceAll('/', '.')} ${now}`;
    },
    former: async (look) => present(look),
    make: (hands) => hands.write(file, value),
    undo: async (hands, look, former) => {
      // The device that it belonged to may be gone.
      if (former !== null && present(look) !== null) await hands.write(file, former);
    },
  };
}
