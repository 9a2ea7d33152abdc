/** Invites: join strings and what became of them, until they expire. What becomes of one is part of the write that it pays for. */
import type { Clock } from '../../common/clock.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Db } from './db.ts';
import type { State } from './state.ts';
import type { Invites } from './store.ts';

/** Far more than anybody hands out in the month for which one can be good. */
const MOST = 1000;

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
    if (state().catalogue.invites.size >= MOST)
      throw new EvenkeelError('bad-request', `there are ${MOST} invitations already; let some expire`);
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
  list: () => [...state().catalogue.invites.values()].sort((a, b) => (a.made < b.made ? -1 : 1)),
});
