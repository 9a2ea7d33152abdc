/** `mark 192.0.2.10 tcp 80,443 7`: packets to these ports carry one mark, by a chain of our own in the mangle table. */
import type { Hands, Look, Thing } from './thing.ts';
import { addressOf, familyOf, fullLength, type Words } from './words.ts';

/** The legacy tools: kernels without nf_tables for IPv4 are about, and a kernel with it takes these as well. */
const TOOLS = { '-4': 'iptables-legacy', '-6': 'ip6tables-legacy' } as const;
const CHAIN = 'EVENKEEL';
const JUMP = ['PREROUTING', '-j', CHAIN];
const LIST = /^[1-9][0-9]{0,4}(?:,[1-9][0-9]{0,4})*$/;

/** As the tool lists them, which is how they are given to it too. */
function rulesOf(address: string, protocol: string, ports: number[], mark: number): string[] {
  const target = `-d ${address}/${fullLength(address)} -p ${protocol} -m ${protocol} --dport`;
  const action = `-j MARK --set-xmark 0x${mark.toString(16)}/0xffffffff`;
  return ports.map((port) => `-A ${CHAIN} ${target} ${port} ${action}`);
}

/** Up to what is done with the packets. */
const headOf = (rule: string) => rule.slice(0, rule.indexOf(' -j '));

export function parseMark(words: Words): Thing {
  const address = addressOf(words, 'an address');
  const protocol = words.oneOf(['tcp', 'udp']);
  const list = words.take('a list of ports', (word) => LIST.test(word) && word.split(',').every(isPort));
  const mark = words.number('a mark', 1, 4_294_967_295);
  const ports = [...new Set(list.split(',').map(Number))];
  const tool = TOOLS[familyOf(address)];
  const table = [tool, '-w', '5', '-t', 'mangle'];
  const rules = rulesOf(address, protocol, ports, mark);
  const listed = async (look: Look) => new Set((await look.ask([...table, '-S'])).split('\n'));
  const jumps = (lines: Set<string>) => lines.has(`-A ${JUMP.join(' ')}`);
  /** Of the same packets, with another mark: that of an earlier name, or a hand's. */
  const others = (lines: Set<string>) =>
    [...lines].filter((line) => !rules.includes(line) && rules.some((rule) => headOf(rule) === headOf(line)));
  const found = async (look: Look) => {
    const lines = await listed(look);
    const isRight = jumps(lines) && rules.every((rule) => lines.has(rule));
    return isRight && others(lines).length === 0 ? null : '';
  };
  const remove = (rule: string, hands: Hands) => hands.call([...table, '-D', ...rule.split(' ').slice(1)]);
  /** The last one takes the chain with it. */
  const tidy = async (hands: Hands, left: number, lines: Set<string>) => {
    if (left > 0 || !lines.has(`-N ${CHAIN}`)) return;
    if (jumps(lines)) await hands.call([...table, '-D', ...JUMP]);
    await hands.call([...table, '-X', CHAIN]);
  };
  return {
    id: `mark ${address} ${protocol} ${ports.join(',')}`,
    needs: [],
    shares: rules,
    found,
    // The chain is ours, whoever of us has filled it.
    former: async () => null,
    make: async (hands, look) => {
      const lines = await listed(look);
      if (!lines.has(`-N ${CHAIN}`)) await hands.call([...table, '-N', CHAIN]);
      for (const rule of rules) if (!lines.has(rule)) await hands.call([...table, ...rule.split(' ')]);
      if (!jumps(lines)) await hands.call([...table, '-I', ...JUMP]);
      for (const rule of others(lines)) await remove(rule, hands);
    },
    undo: async (hands, look, _former, shared) => {
      const lines = await listed(look);
      const ours = rules.filter((rule) => lines.has(rule) && !shared.has(rule));
      for (const rule of ours) await remove(rule, hands);
      const all = [...lines].filter((line) => line.startsWith(`-A ${CHAIN} `)).length;
      await tidy(hands, all - ours.length, lines);
    },
  };
}

const isPort = (word: string) => Number(word) >= 1 && Number(word) <= 65_535;
