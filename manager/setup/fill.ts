/** The first documents of an empty store: the cluster itself, the shipped policies and templates; and the first token. */
import { EvenkeelError } from '../../protocol/errors.ts';
import { parseResource, type Resource } from '../../protocol/resource.ts';
import type { Store } from '../store/store.ts';

export interface ClusterChoices {
  address: string;
  balancer: string;
  fallbackPort: number;
}

/**
 * A token of an interrupted setup is replaced.
 * @returns the admin token
 * @throws EvenkeelError invalid-document when what was chosen does not fit
 */
export async function fill(store: Store, choices: ClusterChoices, shipped: Resource[]): Promise<string> {
  const resources = [clusterOf(choices), ...shipped];
  const edits = resources.map((resource, index) => ({
    op: 'put' as const,
    resource,
    where: `documents/${index}`,
  }));
  await store.write({ actor: 'init', edits });
  await store.tokens.revoke('admin');
  return store.tokens.create({ name: 'admin', role: 'admin' });
}

function clusterOf({ address, balancer, fallbackPort }: ClusterChoices): Resource {
  const spec = { address, balancer, fallback: { port: fallbackPort } };
  const parsed = parseResource({ kind: 'Cluster', name: 'cluster', spec });
  if (parsed.ok) return parsed.resource;
  throw new EvenkeelError('invalid-document', 'the choices for the cluster are not right', parsed);
}
