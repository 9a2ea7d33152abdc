/** Reading resources: one, a page, or all of a kind, in the order of their names. */
import type { Stored } from '../../common/view.ts';
import type { Kind } from '../../protocol/resource.ts';
import type { Queries } from './db.ts';

type Reads = Pick<Queries, 'all' | 'get'>;

interface Row {
  name: string;
  rev: number;
  digest: string;
  body: string;
}

const PAGE = 500;
const page =
  'SELECT name, rev, digest, body FROM resources WHERE kind = ? AND name > ? ORDER BY name LIMIT ?';

/** What is in the store was parsed and judged when it came in, so its type is trusted. */
const storedOf = <K extends Kind>(kind: K, { name, rev, digest, body }: Row): Stored<K> =>
  ({ kind, name, spec: JSON.parse(body) as unknown, revision: rev, digest }) as unknown as Stored<K>;

export async function readOne<K extends Kind>(
  read: Reads,
  kind: K,
  name: string,
): Promise<Stored<K> | undefined> {
  const row = await read.get<Row>(
    'SELECT name, rev, digest, body FROM resources WHERE kind = ? AND name = ?',
    kind,
    name,
  );
  return row && storedOf(kind, row);
}

export async function readPage<K extends Kind>(
  read: Reads,
  kind: K,
  { after = '', limit }: { after?: string | undefined; limit: number },
): Promise<Stored<K>[]> {
  const rows = await read.all<Row>(page, kind, after, limit);
  return rows.map((row) => storedOf(kind, row));
}

/** Page by page: what is written meanwhile may or may not be among them. */
export async function* readAll<K extends Kind>(read: Reads, kind: K): AsyncGenerator<Stored<K>> {
  for (let after = ''; ; ) {
    const items = await readPage(read, kind, { after, limit: PAGE });
    yield* items;
    const last = items.at(-1);
    if (!last || items.length < PAGE) return;
    after = last.name;
  }
}
