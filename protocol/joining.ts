/** Joining: how a box becomes a node of the cluster, and how a node gets back in. A part of the table in endpoints.ts. */
import { Type } from 'typebox';
import { Facts } from './messages.ts';
import { Name, Strict } from './values.ts';

export const joinApi = {
  join: {
    method: 'POST',
    path: '/join/v1',
    access: 'none',
    summary: 'A new box joins with its join string',
    body: Strict({
      secret: Type.String({ maxLength: 200 }),
      name: Name,
      csr: Type.String({ maxLength: 8192 }),
      facts: Facts,
    }),
    answer: Type.Object({
      node: Name,
      certificate: Type.String(),
      ca: Type.String(),
      cluster: Type.String(),
      signingKey: Type.String(),
      ports: Type.Object({ machines: Type.Integer(), broker: Type.Integer() }),
    }),
  },
  rejoin: {
    method: 'POST',
    path: '/join/v1/renew',
    access: 'none',
    summary: 'Renewal after expiry: the request is signed with the key of the expired certificate',
    body: Strict({
      certificate: Type.String({ maxLength: 8192 }),
      csr: Type.String({ maxLength: 8192 }),
      proof: Type.String({
        maxLength: 1024,
        description: 'base64 ECDSA signature of the csr bytes by the old key',
      }),
    }),
    answer: Type.Object({ certificate: Type.String(), ca: Type.String() }),
  },
} as const;
