/** Which nodes a run is for: `all`, a role, or names; and never a node that the action is not for. Pure. */
import type { View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';

const refuse = (message: string, fix: string): never => {
  throw new EvenkeelError('bad-request', `on: ${message}`, {
    problems: [{ code: 'bad-request', path: 'on', message, fix }],
  });
};

/**
 * @param roles of the action; none means every node
 * @returns names, sorted
 * @throws EvenkeelError bad-request for what selects nothing, or names a node that is not there or not meant
 */
export function selected(selector: string, roles: readonly string[], { Node }: Pick<View, 'Node'>): string[] {
  const nodes = [...Node.values()];
  const isMeant = (own: readonly string[]) => roles.length === 0 || own.some((role) => roles.includes(role));
  const words = selector.split(',').map((word) => word.trim());
  const named = words.every((word) => Node.has(word));
  const chosen = nodes.filter(({ name, spec }) =>
    selector === 'all' ? true : named ? words.includes(name) : spec.roles.includes(selector),
  );
  if (chosen.length === 0) {
    const missing = words.find((word) => !Node.has(word)) ?? selector;
    return refuse(
      `there is no node and no role ${missing}`,
      'use all, a role, or names with commas between: evenkeel nodes',
    );
  }
  const meant = chosen.filter(({ spec }) => isMeant(spec.roles));
  const not = chosen.find(({ spec }) => !isMeant(spec.roles));
  if (not !== undefined && (named || meant.length === 0))
    return refuse(
      `${not.name} has none of the roles ${roles.join(', ')}`,
      'the action is for nodes of these roles',
    );
  return meant.map(({ name }) => name).sort();
}
