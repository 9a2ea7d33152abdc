/** Joining: how a box becomes a node of the cluster, and how a node gets back in. A part of the table in endpoints.ts. */
import { type Static, Type } from 'typebox';
import { Facts } from './messages.ts';
import { NodeSpec } from './resources/node.ts';
import { AddressRange, Moment, Name, OneOf, Sha256, Strict } from './values.ts';
import { NodeView } from './views.ts';

/** An invitation as people see it: never its secret. */
export const InviteView = Strict({
  id: Type.String(),
  state: OneOf(['open', 'waiting', 'used', 'revoked', 'expired']),
  by: Type.String(),
  made: Moment,
  expires: Moment,
  roles: NodeSpec.properties.roles,
  name: Type.Optional(Name),
  from: Type.Optional(AddressRange),
  approve: Type.Boolean(),
  used: Type.Optional(
    Strict({ node: Name, key: Sha256, from: Type.String(), at: Moment }, { description: 'By which box' }),
  ),
  revoked: Type.Optional(Strict({ by: Type.String(), at: Moment })),
});
export type InviteView = Static<typeof InviteView>;

/** A box that waits for an operator: to be accepted, or to be trusted with another key. */
export const WaitingView = Strict({
  name: Name,
  why: OneOf(['approval', 'identity']),
  key: Type.Unsafe<string>({ ...Sha256, description: 'SHA-256 of the public key that it shows' }),
  from: Type.String({ description: 'The address of its connection' }),
  since: Moment,
  heard: Type.Union([Moment, Type.Null()], { description: 'Its last try in this run of the manager' }),
  expires: Moment,
  invite: Type.String(),
  roles: Type.Array(Name),
  facts: Facts,
  known: Type.Optional(
    Strict(
      {
        key: Type.Union([Sha256, Type.Null()]),
        joined: Type.Union([Moment, Type.Null()]),
        address: Type.String(),
        alive: Type.Union([Type.String(), Type.Null()], {
          description: 'The address from which the node of this name speaks now',
        }),
      },
      { description: 'The node that has the name' },
    ),
  ),
});
export type WaitingView = Static<typeof WaitingView>;

const Named = Strict({ name: Name });
const Fingerprint = Type.String({
  maxLength: 120,
  description: 'Of the key that the box shows, whole or as shown',
});
const Chosen = Strict({ fingerprint: Type.Optional(Fingerprint) });

export const joinApi = {
  invite: {
    method: 'POST',
    path: '/api/v1/invites',
    access: 'admin',
    summary: 'Make a join string',
    body: Strict({
      roles: NodeSpec.properties.roles,
      name: Type.Optional(Name),
      parameters: NodeSpec.properties.parameters,
      hours: Type.Integer({ minimum: 1, maximum: 720, default: 24 }),
      from: Type.Optional(AddressRange),
      approve: Type.Boolean({ default: false, description: 'An operator accepts the box before it joins' }),
    }),
    answer: Strict({ id: Type.String(), join: Type.String(), expires: Moment, fingerprint: Type.String() }),
  },
  invites: {
    method: 'GET',
    path: '/api/v1/invites',
    access: 'admin',
    summary: 'The invitations, without their secret, oldest first',
    answer: Strict({ items: Type.Array(InviteView) }),
  },
  uninvite: {
    method: 'DELETE',
    path: '/api/v1/invites/:id',
    access: 'admin',
    summary: 'Take an invitation back',
    params: Strict({ id: Type.String({ maxLength: 64 }) }),
    answer: InviteView,
  },
  waiting: {
    method: 'GET',
    path: '/api/v1/joins',
    access: 'viewer',
    summary: 'Boxes that wait to be accepted, or to be trusted with another key',
    answer: Strict({ items: Type.Array(WaitingView) }),
  },
  accept: {
    method: 'POST',
    path: '/api/v1/joins/:name/accept',
    access: 'admin',
    summary: 'Make a box that waits a node',
    params: Named,
    body: Chosen,
    answer: NodeView,
  },
  refuse: {
    method: 'POST',
    path: '/api/v1/joins/:name/refuse',
    access: 'admin',
    summary: 'Refuse a box that waits, and take its invitation back',
    params: Named,
    body: Chosen,
    answer: InviteView,
  },
  trust: {
    method: 'POST',
    path: '/api/v1/nodes/:name/trust',
    access: 'admin',
    summary: 'Trust a known node with another key',
    params: Named,
    body: Strict({ fingerprint: Fingerprint }),
    answer: NodeView,
  },
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
