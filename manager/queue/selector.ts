/** Which nodes a run is for: `all`, or names and roles; and never a node that the action is not for. Pure. */
import type { View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { meantHint } from '../../protocol/nearest.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';

const refuse = (message: string, fix: string): never => {
  throw new EvenkeelError('bad-request', `on: ${message}`, {
    problems: [{ code: 'bad-request', path: 'on', message, fix }],
  });
};

function nearestTo(word: string, nodes: readonly Node[]): string {
  return meantHint(word, [...new Set(nodes.flatMap(({ name, spec }) => [name, ...spec.roles]))]);
}

type Node = { name: string; spec: NodeSpec };
/** Whom an action is for, and what others lack. */
export interface Meant {
  isFor(node: Node): boolean;
  lacks: string;
}

/**
 * @param meant what is not for a node is not queued on it
 * @returns names, sorted
 * @throws EvenkeelError bad-request for what selects nothing, or names a node that is not there or not meant
 */
export function selected(selector: string, { isFor, lacks }: Meant, { Node }: Pick<View, 'Node'>): string[] {
  const nodes = [...Node.values()];
  const words = new Set(selector.split(',').map((word) => word.trim()));
  const isNamed = ({ name }: { name: string }) => words.has(name);
  const hasRole = (own: readonly string[], word: string) => !Node.has(word) && own.includes(word);
  if (words.has('')) return refuse(`${selector} has a comma too many`, 'leave it out');
  const missing = [...words].find(
    (word) => !Node.has(word) && !nodes.some(({ spec }) => hasRole(spec.roles, word)),
  );
  if (selector !== 'all' && missing !== undefined)
    return refuse(
      `there is no node and no role ${missing}`,
      `${nearestTo(missing, nodes)}use all, or names and roles with commas between: evenkeel nodes`,
    );
  const chosen = nodes.filter(
    (node) =>
      selector === 'all' || isNamed(node) || [...words].some((word) => hasRole(node.spec.roles, word)),
  );
  const meant = chosen.filter(isFor);
  const not = chosen.find((node) => isNamed(node) && !isFor(node)) ?? chosen.find((node) => !isFor(node));
  if (chosen.length === 0) return refuse('there are no nodes', 'evenkeel node invite prints how a box joins');
  if (not !== undefined && (isNamed(not) || meant.length === 0))
    return refuse(`${not.name} ${lacks}`, 'leave it out: the action is not for it');
  return meant.map(({ name }) => name).sort();
}
