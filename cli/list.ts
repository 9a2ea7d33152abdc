/** Everything of a kind, page by page. */
import type { Kind, ResourceOf } from '../protocol/resource.ts';
import type { Client } from './client.ts';

const PAGE = 1000;

/** By name. */
export async function everyOne<K extends Kind>(client: Client, kind: K): Promise<ResourceOf<K>[]> {
  const found: ResourceOf<K>[] = [];
  for (let after: string | null | undefined; after !== null; ) {
    const query: { limit: number; after?: string } = {
      limit: PAGE,
      ...(after === undefined ? {} : { after }),
    };
    const { items, next } = await client.call('list', { params: { kind }, query });
    found.push(...(items as unknown as ResourceOf<K>[]));
    after = next;
  }
  return found;
}
