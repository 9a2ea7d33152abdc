/** The Node that a box becomes: what the invitation says, what the operator has declared, what the box says of itself. */

import type { Invite } from '../../common/invite.ts';
import { systemOf } from '../../common/system.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Facts } from '../../protocol/messages.ts';
import { parseResource, type ResourceOf } from '../../protocol/resource.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';

/** What an operator has declared stays; the box says where it keeps its files. @throws EvenkeelError invalid-document */
export function nodeOf(
  name: string,
  { roles, parameters }: Pick<Invite, 'roles' | 'parameters'>,
  known: NodeSpec | undefined,
  { address, paths, ...facts }: Facts,
  identity: { key: string; joined: string },
): ResourceOf<'Node'> {
  const system = systemOf(facts);
  const told = { paths, identity, ...(system === undefined ? {} : { system }) };
  const spec = known ? { ...known, ...told } : { roles, parameters, address, ...told };
  return nodeFrom(name, spec, 'what the box says of itself does not fit');
}

/** @throws EvenkeelError invalid-document, with this refusal */
export function nodeFrom(name: string, spec: object, refusal: string): ResourceOf<'Node'> {
  const parsed = parseResource({ kind: 'Node', name, spec }, 'node');
  if (parsed.ok) return parsed.resource as ResourceOf<'Node'>;
  throw new EvenkeelError('invalid-document', refusal, parsed);
}
