/** `route default via 10.0.0.2 table 2401`: a way to somewhere. The one that stood there before comes back. */
import type { Look, Thing } from './thing.ts';
import { addressOf, deviceOf, familyOf, fullLength, prefixOf, tableOf, type Words } from './words.ts';

interface Shown {
  gateway?: string;
  dev?: string;
}

const MAIN = 254;

function destinationOf(words: Words): string {
  if (words.maybe('default')) return 'default';
  const { address, length } = prefixOf(words, 'default, or an address with the length of its prefix');
  return length === fullLength(address) ? address : `${address}/${length}`;
}

export function parseRoute(words: Words): Thing {
  const destination = destinationOf(words);
  words.keyword('via');
  const gateway = addressOf(words, 'the address of a gateway');
  const device = words.maybe('dev') ? deviceOf(words) : null;
  const table = words.maybe('table') ? tableOf(words) : MAIN;
  const family = familyOf(gateway);
  const which = ['route', 'show', 'table', String(table), 'exact', destination];
  const ways = async (look: Look): Promise<Shown[]> =>
    JSON.parse((await look.ask(['ip', '-j', family, ...which])) || '[]') as Shown[];
  const text = async (look: Look) =>
    (await look.ask(['ip', family, ...which])).split('\n')[0]?.trim() || null;
  return {
    id: `route ${family} ${destination} table ${table}`,
    needs: device === null ? [] : [{ list: 'devices', value: device }],
    relies: ['link', 'module'],
    found: async (look) => {
      const [way, more] = await ways(look);
      if (way === undefined) return '';
      const isRight = way.gateway === gateway && (device === null || way.dev === device);
      return isRight && more === undefined ? null : `route ${await text(look)} table ${table}`;
    },
    former: text,
    make: (hands) =>
      hands.call([
        ...['ip', family, 'route', 'replace', destination, 'via', gateway],
        ...(device === null ? [] : ['dev', device]),
        ...['table', String(table)],
      ]),
    undo: async (hands, look, former) => {
      const at = ['table', String(table)];
      if (former !== null)
        return hands.call(['ip', family, 'route', 'replace', ...former.split(/\s+/), ...at]);
      if ((await ways(look)).length > 0) await hands.call(['ip', family, 'route', 'del', destination, ...at]);
    },
  };
}
