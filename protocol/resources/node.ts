/** Node: a box that has joined, its roles, parameters, and what the operator has said about it. */
import { type Static, Type } from 'typebox';
import {
  AbsolutePath,
  ByName,
  Identifier,
  IPv4,
  IPv6,
  Moment,
  Name,
  OneOf,
  ParameterValue,
  Reason,
  Sha256,
  Strict,
} from '../values.ts';

export const NodeName = Name;

export const NodeSpec = Strict({
  roles: Type.Array(Name, {
    default: [],
    maxItems: 32,
    uniqueItems: true,
    description: 'What the node does; given by the operator',
  }),
  address: Type.Union([IPv4], { description: 'The address at which balancers and other nodes reach it' }),
  address6: Type.Optional(
    Type.Unsafe<string>({
      ...IPv6,
      description: 'The address for virtual services whose VIP is an IPv6 address',
    }),
  ),
  parameters: ByName(Identifier, ParameterValue, {
    default: {},
    description: 'Values for the parameters that policies declare',
  }),
  paths: Strict(
    {
      state: Type.Unsafe<string>({ ...AbsolutePath, default: '/var/lib/evenkeel' }),
      run: Type.Unsafe<string>({ ...AbsolutePath, default: '/run/evenkeel' }),
      log: Type.Unsafe<string>({ ...AbsolutePath, default: '/var/log/evenkeel' }),
    },
    {
      default: {},
      description: 'Where the agent keeps its trees, sockets and logs; reported by the box when it joins',
    },
  ),
  system: Type.Optional(
    Strict(
      { os: Type.String({ maxLength: 100 }), arch: Type.String({ maxLength: 40 }) },
      { description: 'Its operating system and processor; reported by the box when it joins' },
    ),
  ),
  identity: Type.Optional(
    Strict({ key: Sha256, joined: Moment }, { description: 'SHA-256 of the public key that it joined with' }),
  ),
  mode: OneOf(['enforce', 'audit'], {
    default: 'enforce',
    description: 'Whether drift and changes are put right or only reported',
  }),
  hold: Type.Optional(
    Strict(
      { reason: Reason, owner: Reason, until: Type.Optional(Moment) },
      { description: 'Nothing on the node is changed while this stands' },
    ),
  ),
  drain: Type.Optional(
    Strict(
      { reason: Reason, owner: Reason, deadline: Type.Optional(Moment) },
      {
        description:
          'No new connections; it leaves its pools when the old ones are gone or the deadline passes',
      },
    ),
  ),
  maintenance: Type.Optional(
    Strict(
      { reason: Reason, owner: Reason, until: Type.Optional(Moment) },
      { description: 'Out of all pools; failures raise no alarm. Ends by itself at `until`' },
    ),
  ),
  weight: Type.Integer({
    minimum: 1,
    maximum: 256,
    default: 100,
    description: 'Its share of the traffic, against the other nodes',
  }),
});
export type NodeSpec = Static<typeof NodeSpec>;
