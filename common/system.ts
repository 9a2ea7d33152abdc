/** What a Node remembers of the system of its box, from what the box says of itself. */
import type { Facts } from '../protocol/messages.ts';

/** Undefined where its agent does not say. */
export const systemOf = ({ arch, box }: Pick<Facts, 'arch' | 'box'>) =>
  box === undefined ? undefined : { os: `${box.os.id} ${box.os.version}`.trim(), arch };
