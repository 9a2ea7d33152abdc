/** The check os: whether the installer knows the packages of this distribution (I44). Whether other nodes have the same is the manager's word. */
import { pass, warn } from '../../../common/findings.ts';
import type { Check } from '../asked.ts';

export const os: Check = ({ look: { os } }) => {
  const found = `${os.id} ${os.version}`.trim();
  if (os.family !== 'other') return pass('os', found);
  return warn('os', `${found} is neither of the Debian nor of the RHEL family`, {
    why: 'nobody knows which packages the daemons of the roles come in',
    fix: 'install the daemons by hand, or use Debian, Ubuntu or a RHEL',
  });
};
