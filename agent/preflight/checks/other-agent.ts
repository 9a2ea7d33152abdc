/** The check other-agent: whether the box is a node of somebody already. */
import { fail, pass } from '../../../common/findings.ts';
import type { Check } from '../asked.ts';

interface Kept {
  node: string;
  address: string;
}

function keptIn(text: string): Kept {
  try {
    const { node, address } = JSON.parse(text) as Partial<Kept>;
    return { node: String(node), address: String(address) };
  } catch {
    return { node: 'unknown', address: 'unknown' }; // damaged, and of somebody still
  }
}

/** @param manager the address in the join string, and its authority as PEM */
export const otherAgent =
  (manager: { address: string; ca: string }): Check =>
  async ({ box, paths }) => {
    const folder = `${paths.state}/identity`;
    const [kept, ca] = await Promise.all([box.read(`${folder}/manager.json`), box.read(`${folder}/ca.pem`)]);
    const certificate = await box.read(`${folder}/cert.pem`);
    if (certificate === null) return pass('other-agent', 'this box is no node yet');
    const { node, address } = keptIn(kept ?? '');
    const plain = (pem: string) => pem.replace(/\s/g, '');
    if (plain(ca ?? '').includes(plain(manager.ca)))
      return pass('other-agent', `this box is node ${node} of this manager already`);
    return fail('other-agent', `this box is node ${node} of the manager at ${address}`, {
      why: 'a box obeys one manager',
      fix: 'remove the node at that manager, then take Evenkeel off this box, with all that it keeps here',
      command: 'sh /usr/lib/evenkeel/current/install.sh uninstall',
    });
  };
