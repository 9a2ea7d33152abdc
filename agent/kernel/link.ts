/** `link tunl0 up type ipip`: a network device is there, and up. */
import type { Hands, Look, Thing } from './thing.ts';
import { deviceOf, type Words } from './words.ts';

interface Shown {
  flags?: string[];
  linkinfo?: { info_kind?: string };
}

const TYPES = ['ipip', 'ip6tnl', 'dummy'] as const;
/** The devices that come with a module. */
const COMES_WITH: Record<string, string> = { tunl0: 'ipip', ip6tnl0: 'ip6_tunnel' };

async function linkNow(device: string, look: Look): Promise<Shown | undefined> {
  const text = await look.ask(['ip', '-j', '-d', 'link', 'show', 'dev', device]);
  return text === '' ? undefined : (JSON.parse(text) as Shown[])[0];
}

async function add(device: string, type: string | null, hands: Hands): Promise<void> {
  const module = COMES_WITH[device];
  if (module !== undefined) await hands.call(['modprobe', module]);
  else if (type !== null) await hands.call(['ip', 'link', 'add', 'dev', device, 'type', type]);
}

export function parseLink(words: Words): Thing {
  const device = deviceOf(words);
  words.keyword('up');
  const type = words.maybe('type') ? words.oneOf(TYPES) : null;
  const isOther = (now: Shown) => type !== null && now.linkinfo?.info_kind !== type;
  const said = (now: Shown) =>
    `link ${device} ${now.flags?.includes('UP') ? 'up' : 'down'}${isOther(now) ? ` type ${now.linkinfo?.info_kind ?? 'none'}` : ''}`;
  return {
    id: `link ${device}`,
    needs: [
      { list: 'devices', value: device },
      ...(type === null ? [] : [{ list: 'modules' as const, value: type }]),
    ],
    found: async (look) => {
      const now = await linkNow(device, look);
      if (now === undefined) return '';
      return now.flags?.includes('UP') && !isOther(now) ? null : said(now);
    },
    former: async (look) => {
      const now = await linkNow(device, look);
      if (now === undefined) return null;
      return now.flags?.includes('UP') ? 'up' : 'down';
    },
    make: async (hands, look) => {
      if ((await linkNow(device, look)) === undefined) await add(device, type, hands);
      await hands.call(['ip', 'link', 'set', 'dev', device, 'up']);
    },
    undo: async (hands, look, former) => {
      if (former === 'up' || (await linkNow(device, look)) === undefined) return;
      const isOurs = former === null && COMES_WITH[device] === undefined;
      await hands.call(['ip', 'link', ...(isOurs ? ['del', 'dev', device] : ['set', 'dev', device, 'down'])]);
    },
  };
}
