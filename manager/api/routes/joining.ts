/** Joining as operators see it: invitations, boxes that wait, and whom they accept, refuse and trust. */
import { EvenkeelError } from '../../../protocol/errors.ts';
import { actorOf, type Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

type JoiningRoutes = Pick<
  Handlers,
  'invite' | 'invites' | 'uninvite' | 'waiting' | 'accept' | 'refuse' | 'trust'
>;

export function joiningRoutes({ nodes, join }: Given): JoiningRoutes {
  const viewOf = (name: string) => {
    const view = nodes.one(name);
    if (!view) throw new EvenkeelError('not-found', `there is no Node/${name}`);
    return view;
  };
  return {
    invite: ({ body, caller }) => join.invite(body, actorOf(caller)),
    invites: () => ({ items: join.invites() }),
    uninvite: ({ params: { id }, caller }) => join.uninvite(id, actorOf(caller)),
    waiting: () => ({ items: join.waiting() }),
    accept: async ({ params: { name }, body, caller }) => {
      await join.accept({ ...body, name, by: actorOf(caller) });
      return viewOf(name);
    },
    refuse: ({ params: { name }, body, caller }) => join.refuse({ ...body, name, by: actorOf(caller) }),
    trust: async ({ params: { name }, body, caller }) => {
      viewOf(name);
      await join.trust({ ...body, name, by: actorOf(caller) });
      return viewOf(name);
    },
  };
}
