/**
 * `sysctl net.ipv4.conf.all.arp_ignore 1`: a setting of the kernel, by dots, or by slashes where a name has a dot. A `*`
 * stands for every device: where the kernel takes `all` or the device, one of them alone says nothing.
 */
import type { Hands, Look, Thing } from './thing.ts';
import type { Words } from './words.ts';

const KEY = /^[A-Za-z0-9_-]+(?:[./](?!\.)[A-Za-z0-9_-][A-Za-z0-9_.-]*)+$/;
const EVERY = '/*/';

/** With a slash in it, a dot is a part of a name: `net/ipv4/conf/eth0.100/arp_ignore`. */
const pathOf = (key: string) => (key.includes('/') ? key : key.replaceAll('.', '/'));
const dotted = (path: string) => path.replaceAll('/', '.');

export function parseSysctl(words: Words): Thing {
  const isKey = (word: string) => KEY.test(word.replace(/([./])\*([./])/, '$1all$2')) && !word.includes('..');
  const path = pathOf(words.take('the key of a setting', isKey));
  const value = words.take('a value', /^[A-Za-z0-9._:,-]{1,64}$/);
  const shared = { id: `sysctl ${path}`, needs: [{ list: 'sysctls' as const, value: dotted(path) }] };
  return { ...shared, ...(path.includes(EVERY) ? every(path, value) : one(path, value)) };
}

type Setting = Omit<Thing, 'id' | 'needs'>;

const fileOf = (path: string) => `/proc/sys/${path}`;
const present = (look: Look, path: string) => look.read(fileOf(path))?.trim().replaceAll(/\s+/g, ' ') ?? null;

/** The device that it belonged to may be gone. */
const putBack = async (hands: Hands, look: Look, path: string, former: string) => {
  if (present(look, path) !== null) await hands.write(fileOf(path), former);
};

const one = (path: string, value: string): Setting => ({
  found: async (look) => {
    const now = present(look, path);
    if (now === value) return null;
    return now === null ? '' : `sysctl ${dotted(path)} ${now}`;
  },
  former: async (look) => present(look, path),
  make: (hands) => hands.write(fileOf(path), value),
  undo: async (hands, look, former) => {
    if (former !== null) await putBack(hands, look, path, former);
  },
});

/** `all` and `default` are among the devices: one that comes later begins right, and goes back to what `default` was. */
function every(path: string, value: string): Setting {
  const [folder = '', key = ''] = path.split(EVERY);
  const paths = (look: Look) => look.list(fileOf(folder)).map((device) => `${folder}/${device}/${key}`);
  const otherwise = (look: Look) => paths(look).filter((each) => present(look, each) !== value);
  return {
    found: async (look) => {
      const [first] = paths(look).length === 0 ? [path] : otherwise(look);
      if (first === undefined) return null;
      return (await one(first, value).found(look)) ?? '';
    },
    former: async (look) => JSON.stringify(paths(look).map((each) => [each, present(look, each)])),
    make: async (hands, look) => {
      for (const each of otherwise(look)) await hands.write(fileOf(each), value);
    },
    undo: async (hands, look, former) => {
      const before = new Map<string, string | null>(JSON.parse(former ?? '[]'));
      const usual = before.get(`${folder}/default/${key}`) ?? null;
      for (const each of paths(look)) {
        const last = before.get(each) ?? usual;
        if (last !== null) await putBack(hands, look, each, last);
      }
    },
  };
}
