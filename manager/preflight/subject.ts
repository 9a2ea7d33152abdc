/** Whom the manager judges: a box that wants to join, or a node, with what is declared beside it. */
import type { View } from '../../common/view.ts';
import type { Facts } from '../../protocol/messages.ts';

export interface Subject {
  name: string;
  /** What it will do, or does. */
  roles: readonly string[];
  parameters: Readonly<Record<string, unknown>>;
  /** Without `box` it is an agent that says little of itself, and what is not known is not judged. */
  facts: Pick<Facts, 'address' | 'agent' | 'protocol' | 'arch' | 'box'>;
}

export interface Judging extends Subject {
  view: View;
  /** The manager's own time, and the processor for which it serves the agent, where it serves one. */
  now: number;
  serves: string | undefined;
}
