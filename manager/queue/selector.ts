/** Which nodes a run is for: `all`, or names and roles; and never a node that the action is not for. Pure. */
import type { View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { nearest } from '../../protocol/nearest.ts';

const refuse = (message: string, fix: string): never => {
  throw new EvenkeelError('bad-request', `on: ${message}`, {
    problems: [{ code: 'bad-request', path: 'on', message, fix }],
  });
};

function meantBy(word: string, nodes: readonly { name: string; spec: { roles: string[] } }[]): string {
  const meant = nearest(word, [...new Set(nodes.flatMap(({ name, spec }) => [name, ...spec.roles]))]);
  return meant === undefined ? '' : `did you mean ${meant}? `;
}

/**
 * @param roles of the action; none means every node
 * @returns names, sorted
 * @throws EvenkeelError bad-request for what selects nothing, or names a node that is not there or not meant
 */
export function selected(selector: string, roles: readonly string[], { Node }: Pick<View, 'Node'>): string[] {
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
      `${meantBy(missing, nodes)}use all, or names and roles with commas between: evenkeel nodes`,
    );
  const chosen = nodes.filter(
    (node) =>
      selector === 'all' || isNamed(node) || [...words].some((word) => hasRole(node.spec.roles, word)),
  );
  const isMeant = ({ spec }: (typeof nodes)[number]) =>
    roles.length === 0 || spec.roles.some((role) => roles.includes(role));
  const meant = chosen.filter(isMeant);
  const not = chosen.find((node) => isNamed(node) && !isMeant(node)) ?? chosen.find((node) => !isMeant(node));
  if (chosen.length === 0) return refuse('there are no nodes', 'evenkeel node invite prints how a box joins');
  if (not !== undefined && (isNamed(not) || meant.length === 0))
    return refuse(`${not.name} has none of the roles ${roles.join(', ')}`, 'it is for nodes of these roles');
  return meant.map(({ name }) => name).sort();
}
