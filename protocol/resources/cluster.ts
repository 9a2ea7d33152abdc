/** Cluster: what holds for all nodes; there is exactly one, named `cluster`. */
import { type Static, Type } from 'typebox';
import { External } from '../external.ts';
import { Duration, IPv4, Network, OneOf, Port, Strict } from '../values.ts';

export const ClusterName = Type.Literal('cluster');

export const balancers = ['lvs', 'ipvsadm', 'haproxy', 'external'] as const;
export type Balancer = (typeof balancers)[number];

export const HEALTH_PORT = 2401;

export const ClusterSpec = Strict({
  address: Type.Union([IPv4], {
    description: 'The cluster address: where nodes reach the manager (`quorumIp` is accepted as well)',
  }),
  balancer: OneOf([...balancers], {
    default: 'lvs',
    description:
      'The driver of the balancer role: lvs (by keepalived), ipvsadm (LVS without keepalived), haproxy, or external (a balancer that somebody else runs)',
  }),
  networks: Type.Optional(
    Strict(
      {
        cluster: Type.Unsafe<string>({
          ...Network,
          description: 'Where manager, nodes and storage speak to each other',
        }),
        public: Type.Optional(
          Type.Unsafe<string>({
            ...Network,
            description:
              'Where visitors come in, when that is another network: the cluster network is then private, and kept so',
          }),
        ),
      },
      { description: 'The layout: one network for all, or a private one beside the public one' },
    ),
  ),
  health: Strict(
    {
      port: Type.Unsafe<number>({
        ...Port,
        default: HEALTH_PORT,
        description: 'Port at which each node says on its own address whether its services may take traffic',
      }),
    },
    { default: {} },
  ),
  external: Type.Optional(External),
  fallback: Strict(
    {
      port: Type.Unsafe<number>({
        ...Port,
        default: 2480,
        description: 'Port of the fallback page on the cluster address',
      }),
    },
    { default: {} },
  ),
  approveJoins: Type.Optional(
    Type.Boolean({
      description: 'Every box waits until an operator accepts it, whatever its invitation says',
    }),
  ),
  journal: Strict(
    {
      keepBodies: Type.Integer({
        minimum: 1000,
        default: 200_000,
        description: 'How many journal entries keep their body',
      }),
      keepFor: Type.Unsafe<string>({
        ...Duration,
        default: '90d',
        description: 'How long journal entries keep their body',
      }),
    },
    { default: {}, description: 'The headers and the hash chain are kept for ever' },
  ),
});
export type ClusterSpec = Static<typeof ClusterSpec>;
