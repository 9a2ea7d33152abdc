/** What a box is told that was a node once. */
import { EvenkeelError } from '../protocol/errors.ts';

export const wasRemoved = (node: string): EvenkeelError =>
  new EvenkeelError(
    'node-removed',
    `node ${node} was removed from this cluster: it goes on as a box of its own`,
  );
