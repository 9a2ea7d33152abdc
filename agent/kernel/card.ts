/** `card eth0 of vrrpInterface`: the box has the network device that a parameter of the node names. Nobody makes it. */
import { networkInterfaces } from 'node:os';
import type { Look, Thing } from './thing.ts';
import { deviceOf, type Words } from './words.ts';

/** All of them, also those that are down: the list of the system has only what has an address. */
const devicesIn = (look: Look): string[] =>
  (look.read('/proc/net/dev') ?? '').split('\n').flatMap((line) => /^ *([^ :]+):/.exec(line)?.[1] ?? []);

/** With its addresses, so that people know it again. */
function known(device: string): string {
  const addresses = networkInterfaces()[device]?.map(({ address }) => address) ?? [];
  return addresses.length === 0 ? device : `${device} (${addresses.join(', ')})`;
}

export function parseCard(words: Words): Thing {
  const device = deviceOf(words);
  words.keyword('of');
  const parameter = words.take('the name of a parameter', /^[a-z][A-Za-z0-9]{0,62}$/);
  const lacks = (look: Look): string | null => {
    const devices = devicesIn(look);
    if (devices.includes(device)) return null;
    return `no such device on this box but ${devices.map(known).join(', ')}: set the parameter ${parameter} of the node to one of these`;
  };
  return {
    id: `card ${device} of ${parameter}`,
    needs: [],
    lacks,
    found: async (look) => lacks(look),
    former: async () => null,
    make: async (_hands, look) => {
      throw new Error(`there is ${lacks(look)}`);
    },
    undo: async () => undefined,
  };
}
