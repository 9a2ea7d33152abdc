/** Networks: whether an address lies in one. */
import { BlockList, isIP } from 'node:net';

export const ALL_IPV4 = '0.0.0.0/0';

/** @param network such as 10.0.0.0/24 or 2001:db8::/32; an IPv4 address that is written as IPv6 counts as what it is */
export function isWithin(network: string, address: string): boolean {
  // The part after % says through which card, not where.
  const plain = address.replace(/^::ffff:/i, '').replace(/%.*$/, '');
  const [base = '', length = ''] = network.split('/');
  const family = isIP(base) === 6 ? 'ipv6' : 'ipv4';
  if (isIP(plain) !== isIP(base)) return false;
  const list = new BlockList();
  list.addSubnet(base, Number(length), family);
  return list.check(plain, family);
}

/** Whether two networks share an address: then one of them holds the other. */
export const overlap = (a: string, b: string): boolean => isWithin(a, baseOf(b)) || isWithin(b, baseOf(a));

/** Whether the address before the slash is the first one of the network. */
export function isBase(network: string): boolean {
  const [base = '', length = ''] = network.split('/');
  const host = 2 ** (32 - Number(length));
  const number = base.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  return number % host === 0;
}

const baseOf = (network: string): string => network.split('/')[0] ?? '';
