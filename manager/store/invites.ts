/** Invites: join strings that are open. Using one up is part of the write that it pays for. */
import type { Clock } from '../../common/clock.ts';
import type { Db } from './db.ts';
import type { State } from './state.ts';
import type { Invites } from './store.ts';

export const createInvites = ({
  db,
  clock,
  state,
}: {
  db: Db;
  clock: Clock;
  state: () => State;
}): Invites => ({
  add: async (invite) => {
    await db.transaction((queries) =>
      queries.all(
        'INSERT INTO invites (id, hash, expires, record) VALUES (?, ?, ?, ?)',
        invite.id,
        invite.hash,
        invite.expires,
        JSON.stringify(invite),
      ),
    );
    state().catalogue.invites.set(invite.id, invite);
  },
  get: (id) => {
    const invite = state().catalogue.invites.get(id);
    return invite && Date.parse(invite.expires) > clock.now() ? invite : undefined;
  },
});
