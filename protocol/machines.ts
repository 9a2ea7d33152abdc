/** What agents call, on the port that always asks for a client certificate. */
import { Type } from 'typebox';
import type { Endpoint } from './endpoints.ts';
import { Envelope } from './messages.ts';
import { Strict } from './values.ts';
import { Rev } from './views.ts';

export const machines = {
  changes: {
    method: 'GET',
    path: '/v1/scopes/*',
    access: 'none',
    summary: '`/v1/scopes/<scope>/changes?epoch=&since=`: a delta or a snapshot, signed',
    query: Strict({ epoch: Rev, since: Rev }),
    answer: Envelope,
  },
  renew: {
    method: 'POST',
    path: '/v1/renew',
    access: 'none',
    summary: 'A new certificate for the same node',
    body: Strict({ csr: Type.String({ maxLength: 8192 }) }),
    answer: Type.Object({ certificate: Type.String(), ca: Type.String() }),
  },
} as const satisfies Record<string, Endpoint>;
