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

const isSame = ({ address, length }: Prefix, local: string | undefined, bits: number) =>
  bits === length && local !== undefined && canonical(local) === address;

/** Without starting a process, which the check would do every second; a device without a carrier is not listed here. */
function isListed(prefix: Prefix, device: string): boolean {
  const entries = Object.entries(networkInterfaces()).filter(([name]) => name.split(':')[0] === device);
  return entries
    .flatMap(([, list]) => list ?? [])
    .some(({ cidr }) => {
      const [local, bits] = cidr?.split('/') ?? [];
      return isSame(prefix, local, Number(bits));
    });
}

async function isThere(prefix: Prefix, device: string, look: Look): Promise<boolean> {
  if (isListed(prefix, device)) return true;
  const text = await look.ask(['ip', '-j', familyOf(prefix.address), 'address', 'show', 'dev', device]);
  const shown = text === '' ? [] : (JSON.parse(text) as Shown[]);
  return shown
    .flatMap(({ addr_info = [] }) => addr_info)
    .some(({ local, prefixlen }) => isSame(prefix, local, prefixlen ?? -1));
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
