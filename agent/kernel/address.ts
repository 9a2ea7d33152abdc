/**
 * `address 192.0.2.10/32 dev lo`: an address of this box. One that stood there before stays when the line goes, and with
 * `ours` goes as well: a daemon that somebody else has ended may have left it there.
 */
import { networkInterfaces } from 'node:os';
import { formerOf, type Look, type Thing } from './thing.ts';
import { canonical, deviceOf, familyOf, fullLength, type Prefix, prefixOf, type Words } from './words.ts';

interface Shown {
  addr_info?: { local?: string; prefixlen?: number }[];
}

const keyOf = (device: string, address: string, length: number | string) =>
  `${device} ${canonical(address)}/${length}`;

/** Without starting a process, which the check would do every second; a device without a carrier is not listed here. */
const listed = (look: Look): ReadonlySet<string> =>
  look.once('addresses', () => {
    const all = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? []).map(({ address, cidr }) =>
        keyOf(name.split(':')[0] ?? name, address.split('%')[0] ?? address, cidr?.split('/')[1] ?? ''),
      ),
    );
    return new Set(all);
  });

async function shown(family: string, device: string, look: Look): Promise<ReadonlySet<string>> {
  const text = await look.ask(['ip', '-j', family, 'address', 'show', 'dev', device]);
  return look.once(`addresses ${family} ${device}`, () => {
    const entries = text === '' ? [] : (JSON.parse(text) as Shown[]);
    return new Set(
      entries
        .flatMap(({ addr_info = [] }) => addr_info)
        .map(({ local = '', prefixlen = -1 }) => keyOf(device, local, prefixlen)),
    );
  });
}

async function isThere({ address, length }: Prefix, device: string, look: Look): Promise<boolean> {
  const key = keyOf(device, address, length);
  return listed(look).has(key) || (await shown(familyOf(address), device, look)).has(key);
}

/**
 * The address of a virtual service stands on several boxes: nobody is to be asked whether it is free. And the box must not
 * speak from it, as it would in IPv6, where the longest prefix wins (measured: probes of members had no answers).
 */
function mannersOf({ address, length }: Prefix): string[] {
  if (familyOf(address) === '-4') return [];
  return length === fullLength(address) ? ['nodad', 'preferred_lft', '0'] : ['nodad'];
}

export function parseAddress(words: Words): Thing {
  const prefix = prefixOf(words, 'an address with the length of its prefix');
  words.keyword('dev');
  const device = deviceOf(words);
  const isOurs = words.maybe('ours');
  const { address, length } = prefix;
  const where = [`${address}/${length}`, 'dev', device];
  const family = familyOf(address);
  const found = async (look: Look) => ((await isThere(prefix, device, look)) ? null : '');
  return {
    id: `address ${where.join(' ')}`,
    needs: [{ list: 'devices', value: device }],
    // Without its settings the box would say to all that the address of a virtual service is here.
    relies: ['sysctl', 'link', 'module'],
    found,
    former: async (look) => (isOurs ? null : formerOf(found(look))),
    make: (hands) => hands.call(['ip', family, 'address', 'replace', ...where, ...mannersOf(prefix)]),
    undo: async (hands, look, former) => {
      if (former === null && (await isThere(prefix, device, look)))
        await hands.call(['ip', family, 'address', 'del', ...where]);
    },
  };
}
