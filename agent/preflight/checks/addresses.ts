/** The check addresses: whether the box has the address at which others are to reach it (I47). Whether it is free is the manager's word. */

import { fail, pass } from '../../../common/findings.ts';
import { isWithin } from '../../../common/networks.ts';
import type { Check } from '../asked.ts';

export const addresses: Check = ({ look, address }) => {
  // All of 127.0.0.0/8 is the box's own, whatever is listed.
  const isOwn = isWithin('127.0.0.0/8', address) || look.addresses.some((one) => one.address === address);
  if (isOwn) return pass('addresses', `${address} is on this box`);
  const has = look.addresses
    .filter(({ device }) => device !== 'lo')
    .map((one) => `${one.address} on ${one.device}`);
  return fail('addresses', `${address} is not on this box; it has ${has.join(', ') || 'none'}`, {
    why: 'balancers and other nodes would not reach it',
    fix: 'give one of its own addresses with --address, or put this one on a card first',
  });
};
