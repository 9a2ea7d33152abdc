/** `rule from 10.0.0.11 sport 80 proto tcp table 2401`: which packets of ours go by a table of their own. */
import { formerOf, type Look, type Thing } from './thing.ts';
import { addressOf, canonical, familyOf, tableOf, type Words } from './words.ts';

interface Shown {
  src?: string;
  sport?: number | string;
  ipproto?: string;
  table?: string;
}

interface Port {
  port: number;
  protocol: 'tcp' | 'udp';
}

function portOf(words: Words): Port | null {
  if (!words.maybe('sport')) return null;
  const port = words.number('a port', 1, 65_535);
  words.keyword('proto');
  return { port, protocol: words.oneOf(['tcp', 'udp']) };
}

export function parseRule(words: Words): Thing {
  words.keyword('from');
  const source = addressOf(words, 'an address');
  const port = portOf(words);
  words.keyword('table');
  const table = tableOf(words);
  const family = familyOf(source);
  const selector = [
    ...['from', source],
    ...(port === null ? [] : ['ipproto', port.protocol, 'sport', String(port.port)]),
    ...['table', String(table)],
  ];
  const isSame = (one: Shown) =>
    one.table === String(table) &&
    canonical(one.src ?? '') === source &&
    String(one.sport ?? '') === String(port?.port ?? '') &&
    one.ipproto === port?.protocol;
  const found = async (look: Look) => {
    const rules = JSON.parse((await look.ask(['ip', '-j', family, 'rule', 'show'])) || '[]') as Shown[];
    return rules.some((one) => one.src !== 'all' && isSame(one)) ? null : '';
  };
  return {
    id: `rule ${selector.join(' ')}`,
    needs: [],
    relies: ['route'],
    found,
    former: (look) => formerOf(found(look)),
    make: async (hands, look) => {
      if ((await found(look)) !== null) await hands.call(['ip', family, 'rule', 'add', ...selector]);
    },
    undo: async (hands, look, former) => {
      if (former === null && (await found(look)) === null)
        await hands.call(['ip', family, 'rule', 'del', ...selector]);
    },
  };
}
