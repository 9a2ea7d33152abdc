/** The check vip-on-lo: whether a member has the addresses of its virtual services on lo, as LVS by DR and TUN needs it (I56, I57). */
import { fail, pass, skip } from '../../../common/findings.ts';
import { type Check, NOBODY_SAID } from '../asked.ts';

export const vipOnLo: Check = ({ look, needs, member }) => {
  if (!needs) return skip('vip-on-lo', NOBODY_SAID);
  if (needs.vips.length === 0) return skip('vip-on-lo', 'no virtual service of its roles asks for it');
  if (!member)
    return skip('vip-on-lo', `the agent puts them there once the box is a node: ${needs.vips.join(', ')}`);
  const onLo = new Set(look.addresses.filter(({ device }) => device === 'lo').map(({ address }) => address));
  const missing = needs.vips.filter((vip) => !onLo.has(vip));
  if (missing.length === 0) return pass('vip-on-lo', needs.vips.join(', '));
  return fail('vip-on-lo', `not on lo: ${missing.join(', ')}`, {
    why: 'the box drops what the balancer hands it; it is kept out of the pools',
    fix: 'see what the unit realserver of the node says; the agent puts them there',
    command: missing
      .map((vip) => `ip address add ${vip}/${vip.includes(':') ? 128 : 32} dev lo`)
      .join(' && '),
  });
};
