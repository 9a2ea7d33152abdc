/** `export /data/home 10.0.0.0/24 rw,fsid=7`: a folder of this file server may be mounted by these clients. */
import { refuseMissing } from './bind.ts';
import { formerOf, type Look, type Thing } from './thing.ts';
import { isAddress, pathOf, type Words } from './words.ts';

/** Where exportfs keeps what is exported, and mountd reads it. */
const TABLE = '/var/lib/nfs/etab';
const OPTIONS = /^[a-z_]+(?:=[A-Za-z0-9_:.-]+)?(?:,[a-z_]+(?:=[A-Za-z0-9_:.-]+)?)*$/;

/**
 * One address, or a network of them: nobody exports to everybody by mistake. One address is given to exportfs as a network
 * of one: it asks the name server for the name of a plain address each time it takes an export away, and where no name
 * server answers that took 25 s for three of them (measured; 6 ms as networks).
 */
function clientOf(words: Words): string {
  const client = words.take('an address or a network', (word) => {
    const [address = '', length, more] = word.split('/');
    const isLength = length === undefined || /^(?:[1-9]|[12][0-9]|3[0-2])$/.test(length);
    return more === undefined && isLength && isAddress(address) && !address.includes(':');
  });
  return client.includes('/') ? client : `${client}/32`;
}

/** Its options, by folder and client. */
const exported = (look: Look): ReadonlyMap<string, string> =>
  look.once('exports', () => {
    const lines = (look.read(TABLE) ?? '').split('\n').map((line) => /^([^(]*)\((.*).$/.exec(line));
    return new Map(lines.map((line) => [line?.[1] ?? '', line?.[2] ?? '']));
  });

export function parseExport(words: Words): Thing {
  const path = pathOf(words, 'the folder that is exported');
  const client = clientOf(words);
  const options = words.take('options of the export', OPTIONS);
  const place = `${client}:${path}`;
  const present = (look: Look) => exported(look).get(`${path}\t${client}`);
  const found = async (look: Look) => {
    const now = present(look);
    if (now === undefined) return '';
    const has = new Set(now.split(','));
    return options.split(',').every((option) => has.has(option)) ? null : `export ${path} ${client} ${now}`;
  };
  return {
    id: `export ${path} ${client}`,
    needs: [{ list: 'folders', value: path }],
    found,
    former: (look) => formerOf(found(look)),
    concerns: 'storage',
    relies: ['bind', 'nfsd'],
    make: async (hands, look) => {
      await refuseMissing(path, look);
      await hands.call(['exportfs', '-i', '-o', options, place]);
    },
    undo: async (hands, look, former) => {
      if (former === null && present(look) !== undefined) await hands.call(['exportfs', '-u', place]);
    },
  };
}
