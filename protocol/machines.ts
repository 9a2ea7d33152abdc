/** What agents call, on the port that always asks for a client certificate. */
import { Type } from 'typebox';
import type { Endpoint } from './endpoints.ts';
import { Envelope } from './messages.ts';
import { QueuePull } from './queue.ts';
import { Name, Strict } from './values.ts';
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
  standing: {
    method: 'GET',
    path: '/v1/standing',
    access: 'none',
    summary: 'Whether the node is a member still; `node-removed` when it was removed',
    answer: Type.Object({ node: Name }),
  },
  queue: {
    method: 'POST',
    path: '/v1/queue',
    access: 'none',
    summary: 'Results of commands, which the answer receipts, and what to do next, signed',
    body: QueuePull,
    answer: Envelope,
  },
  leave: {
    method: 'POST',
    path: '/v1/leave',
    access: 'none',
    summary:
      'The node takes itself away, as `node remove` does without `--force`; `run` is that of its connection',
    body: Strict({ run: Type.String({ maxLength: 64 }) }),
    answer: Type.Object({ node: Name }),
  },
} as const satisfies Record<string, Endpoint>;
