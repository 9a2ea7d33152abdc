/** The epoch: begun anew above everything that was ever seen, so that nodes follow this store wherever they stand. */
import { type Clock, moment } from '../../common/clock.ts';
import { type Header, linkOf } from './chain.ts';
import type { Queries } from './db.ts';
import type { State } from './state.ts';

export interface NewEpoch {
  /** The highest epoch that any node, or an earlier store of this cluster, has shown. */
  seenEpoch: number;
  actor: string;
}

/** Writes the new epoch, as an entry in the chain and in every scope. The state in memory is moved on by `enterEpoch`. */
export async function raiseEpoch(
  queries: Queries,
  state: State,
  { seenEpoch, actor }: NewEpoch,
  clock: Clock,
): Promise<Header> {
  const header = {
    rev: state.revision + 1,
    epoch: Math.max(state.epoch, seenEpoch) + 1,
    at: moment(clock),
    actor,
    kind: 'Cluster',
    name: 'cluster',
    op: 'epoch' as const,
    digest: '',
  };
  const chain = linkOf(state.chain, header);
  await queries.all(
    `INSERT INTO journal (rev, epoch, at, actor, kind, name, op, digest, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...Object.values(header),
    chain,
  );
  await queries.all(`UPDATE meta SET value = ? WHERE key = 'epoch'`, String(header.epoch));
  await queries.all('UPDATE scopes SET epoch = ?', header.epoch);
  return { ...header, chain };
}

/** Moves the state on to an epoch that is committed. */
export function enterEpoch(state: State, { rev, epoch, chain }: Header): void {
  Object.assign(state, { epoch, chain, revision: rev });
  for (const [name, scope] of state.scopes) state.scopes.set(name, { ...scope, epoch });
}
