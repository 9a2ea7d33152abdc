/** The states of a node, and what it still does in each, as people are told. */

export const nodeStates = [
  ...(['pending', 'active', 'draining', 'maintenance', 'held'] as const),
  ...(['unreachable', 'identity-changed'] as const),
] as const;
export type NodeState = (typeof nodeStates)[number];

/** One sentence each; docs/node-life.md draws them. */
export const whatItDoes: Readonly<Record<NodeState, string>> = {
  pending: 'declared; no box has joined by this name yet',
  active: 'follows every change, and is in its pools as its health says',
  draining:
    'follows every change; keeps its connections, gets no new ones, and leaves its pools when they are gone',
  maintenance: 'follows every change; is in no pool, and raises no alarm',
  held: 'keeps what it has, and takes no change; is in its pools as its health says',
  unreachable:
    'serves what it had and mends it by itself; is in a pool as long as its director finds it well',
  'identity-changed':
    'another box asks for its name: what it had is served as far as it lives, and nothing new is told to either',
};
