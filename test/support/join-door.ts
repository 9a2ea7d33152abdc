/** Where boxes join, as the API has it, alone: HTTPS on loopback over the real store, authority and join handlers. */
import type { AddressInfo } from 'node:net';
import Fastify from 'fastify';
import { type Clock, systemClock } from '../../common/clock.ts';
import { rules } from '../../manager/desired/rules.ts';
import { createJoin } from '../../manager/join.ts';
import type { Pki } from '../../manager/pki/pki.ts';
import { createPreflight } from '../../manager/preflight.ts';
import { openStore } from '../../manager/store/open.ts';
import { api, type BodyOf } from '../../protocol/endpoints.ts';
import { EvenkeelError, problemDocument } from '../../protocol/errors.ts';
import type { EventLine } from '../../protocol/views.ts';
import { quiet } from './courier.ts';

export async function startJoinDoor({
  file,
  pki,
  machinesPort,
  clock = systemClock,
  installer = () => undefined,
  port = 0,
}: {
  file: string;
  pki: Pki;
  machinesPort: number;
  clock?: Clock;
  installer?: () => string | undefined;
  /** The one of a door before this one, as after a restart. */
  port?: number;
}) {
  const store = await openStore({ file, create: true, rules, clock, log: quiet });
  const refused: { node: string | undefined; code: string }[] = [];
  const told: string[] = [];
  const events: Omit<EventLine, 'id' | 'at'>[] = [];
  /** From which address each node speaks now. */
  const living = new Map<string, string>();
  const cut: string[] = [];
  const ports = { api: 0, machines: machinesPort, broker: 1 };
  const join = createJoin({
    ...{ store, pki, ports, cluster: store.meta().cluster, address: '127.0.0.1' },
    refused: (node, { code, message }, from) => {
      refused.push({ node, code });
      told.push(`${code}: ${message} (from ${from})`);
    },
    emit: (event) => events.push(event),
    removed: (node, key) => store.certificates.latest(node)?.key === key,
    alive: (node) => living.get(node),
    cut: async (node) => void cut.push(node),
    installer,
    preflight: createPreflight({ view: store.view, ports, clock }),
    clock,
    log: quiet,
  });
  const secure = () => {
    const { key, cert } = pki.credentials.current();
    return { key, cert, minVersion: 'TLSv1.3' as const };
  };
  const app = Fastify({ https: secure() });
  const forgetRenewal = pki.credentials.onRenewed(() => app.server.setSecureContext(secure()));
  app.setErrorHandler((err, _request, reply) => {
    const coded = err instanceof EvenkeelError ? err : new EvenkeelError('internal', String(err));
    return reply.code(coded.status).send(problemDocument(coded));
  });
  app.post(api.join.path, (request) => join.join(request.body as BodyOf<'join'>, request.ip));
  app.post(api.preflight.path, (request) => join.preflight(request.body as BodyOf<'preflight'>, request.ip));
  app.post(api.rejoin.path, (request) => join.rejoin(request.body as BodyOf<'rejoin'>));
  await app.listen({ host: '127.0.0.1', port });
  ports.api = (app.server.address() as AddressInfo).port;
  const stop = async () => {
    forgetRenewal();
    app.server.closeAllConnections();
    await app.close();
    await store.close();
  };
  return { store, join, refused, told, events, living, cut, ports, stop };
}
