/** What needs no token, or little: health, metrics, the description of the API, and the doors through which boxes join. */
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';
import { openApi } from '../openapi.ts';

type PublicRoutes = Pick<
  Handlers,
  'healthz' | 'readyz' | 'metrics' | 'openapi' | 'join' | 'rejoin' | 'preflight'
>;

export function publicRoutes({ store, going, metrics, join }: Given): PublicRoutes {
  const description = JSON.stringify(openApi());
  const refuseHeld = () => {
    const { mode, reason } = store.meta();
    if (mode === 'held') throw new EvenkeelError('manager-held', reason ?? 'the manager is held');
  };
  return {
    healthz: () => ({ ok: true }),
    readyz: ({ reply }) => {
      const { mode, reason } = going.state();
      if (mode === 'serving') return { ok: true };
      reply.code(503);
      return { ok: false, ...(reason === undefined ? {} : { reason }) };
    },
    metrics: async ({ reply }) => reply.type(metrics.contentType).send(await metrics.text()),
    openapi: ({ reply }) => reply.type('application/json').send(description),
    join: ({ body, request }) => {
      refuseHeld();
      return join.join(body, request.ip);
    },
    preflight: ({ body, request }) => join.preflight(body, request.ip),
    rejoin: ({ body, request }) => {
      refuseHeld();
      return join.rejoin(body, request.ip);
    },
  };
}
