/** What a balancer that somebody else runs is given: the members of each pool, from the API and in webhooks. */
import { type Static, Type } from 'typebox';
import { Moment, Name, OneOf, Strict } from './values.ts';

const Count = Type.Integer({ minimum: 0 });

/** A pool as it should be. `(epoch, seq)` only ever rises: whoever keeps the last pair can tell what is older. */
export const PoolMembers = Strict({
  cluster: Type.String({ description: 'The id of the cluster' }),
  service: Name,
  epoch: Count,
  seq: Count,
  at: Moment,
  vip: Type.String(),
  protocol: Type.String(),
  ports: Type.Array(Strict({ port: Type.Integer(), target: Type.Integer() })),
  withdrawn: Type.Boolean({ description: 'The virtual service is gone; nothing comes after this' }),
  members: Type.Array(
    Strict({
      node: Name,
      address: Type.String(),
      state: OneOf(['up', 'drain', 'down'], {
        description: 'up: new connections. drain: those it has, and no new ones. down: none',
      }),
      weight: Type.Integer({ description: 'Its share against the others; 0 unless up' }),
      reasons: Type.Array(Type.String()),
    }),
  ),
});
export type PoolMembers = Static<typeof PoolMembers>;

export const ExternalView = Strict({
  signingKey: Type.String({ description: 'The public key that webhooks are signed with: Ed25519, PEM' }),
  webhook: Type.Union([
    Type.Null(),
    Strict({
      url: Type.String(),
      waiting: Type.Array(Name, { description: 'Virtual services of which the newest was not delivered' }),
      failing: Type.Union([Type.Null(), Strict({ since: Moment, error: Type.String() })]),
    }),
  ]),
});
export type ExternalView = Static<typeof ExternalView>;

/** Beside the body of a webhook: when it was sent, in seconds since 1970, and the signature of `<timestamp>.<body>`. */
export const WEBHOOK_HEADERS = { timestamp: 'evenkeel-timestamp', signature: 'evenkeel-signature' } as const;

export const externalApi = {
  members: {
    method: 'GET',
    path: '/api/v1/pools/:service/members',
    access: 'viewer',
    summary: 'Who should be in a pool, for balancers of other people; epoch and seq are the ETag',
    params: Strict({ service: Name }),
    answer: PoolMembers,
  },
  external: {
    method: 'GET',
    path: '/api/v1/external',
    access: 'viewer',
    summary: 'The key that webhooks are signed with, and how they are delivered',
    answer: ExternalView,
  },
} as const;

const octet = '(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])';
const privateAddress = `(?:127\\.${octet}|10\\.${octet}|192\\.168|172\\.(?:1[6-9]|2[0-9]|3[01]))\\.${octet}\\.${octet}`;
const label = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

/** Where webhooks go. In the clear only to an address that is private by its own digits: a name could lead anywhere. */
const WebhookUrl = Type.String({
  pattern: `^(?:https://${label}(?:\\.${label})*|http://${privateAddress})(?::[1-9][0-9]{0,4})?(?:/[A-Za-z0-9._~/%@+-]*)?$`,
  maxLength: 1024,
  description: 'Where members are posted: https, or http to a loopback or private IPv4 address',
  'x-rule': 'An https URL, or an http URL of a loopback or private IPv4 address',
  'x-fix': 'use https://host/path, or http://10.0.0.5:8080/path; without a query, user or fragment',
});

/** In the Cluster: what a balancer that somebody else runs is told by itself. */
export const External = Strict(
  {
    webhook: Type.Optional(
      Strict({
        url: WebhookUrl,
        ca: Type.Optional(
          Type.String({
            pattern: '^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\r\\n -]+-----END CERTIFICATE-----\\s*$',
            maxLength: 65_536,
            description: 'The authorities to believe instead of those of the system: PEM',
            'x-rule': 'A list of certificates in PEM',
            'x-fix': 'give the text of a .pem file, from BEGIN CERTIFICATE to END CERTIFICATE',
          }),
        ),
      }),
    ),
  },
  { description: 'Who is told of the members of pools; see docs/external-balancer.md' },
);
