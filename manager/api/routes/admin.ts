/** What admins do: tokens, backups, and letting a held manager go on; each leaves an event, since it is not in the journal. */
import { EvenkeelError } from '../../../protocol/errors.ts';
import { actorOf, type Caller, type Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

type AdminRoutes = Pick<Handlers, 'tokens' | 'tokenList' | 'tokenDelete' | 'backup' | 'state' | 'resume'>;

export function adminRoutes({ store: { tokens, meta }, backup, going, events }: Given): AdminRoutes {
  const tell = (caller: Caller, type: string, subject: string, did: string) =>
    events.emit({ type, severity: 'info', subject, message: `${actorOf(caller)} has ${did}` });
  return {
    tokens: async ({ body: { name, role }, caller, reply }) => {
      const token = await tokens.create({ name, role });
      tell(caller, 'token.made', name, `made the token ${name} with the role ${role}`);
      reply.code(201);
      return { name, role, token };
    },
    tokenList: () => ({
      items: tokens.list().map(({ name, role, created }) => ({ name, role, created })),
    }),
    tokenDelete: async ({ params: { name }, caller }) => {
      const admins = tokens.list().filter(({ role }) => role === 'admin');
      if (admins.length === 1 && admins[0]?.name === name)
        throw new EvenkeelError(
          'still-referenced',
          `${name} is the last admin token; make another one first`,
        );
      const revoked = await tokens.revoke(name);
      if (!revoked) throw new EvenkeelError('not-found', `there is no token ${name}`);
      tell(caller, 'token.revoked', name, `revoked the token ${name}`);
      return { revoked };
    },
    backup: ({ body: { passphrase }, caller, reply }) => {
      if (meta().damaged) throw new EvenkeelError('store-damaged', 'a damaged store is not worth a backup');
      tell(caller, 'backup.made', 'store', 'taken a backup');
      return reply
        .type('application/octet-stream')
        .header('content-disposition', 'attachment; filename="evenkeel.backup"')
        .send(backup.stream(passphrase));
    },
    state: () => going.state(),
    resume: async ({ body, caller }) => {
      const state = await going.resume({ ...body, actor: actorOf(caller) });
      tell(caller, 'manager.resumed', 'manager', 'let the manager go on');
      return state;
    },
  };
}
