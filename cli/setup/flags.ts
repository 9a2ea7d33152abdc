/** The flags of a setup as answers; whether they are good is judged where those of a file are. */
import { InvalidArgumentError } from 'commander';
import { messageOf } from '../../protocol/errors.ts';
import { placeOf } from '../commands/storage.ts';
import { UsageError } from '../failure.ts';
import type { Answers, PlannedNode } from './answers.ts';
import { servedOf } from './steps.ts';

export interface Flags {
  address?: string;
  network?: string;
  publicNetwork?: string;
  node: PlannedNode[];
  balancer?: Answers['balancer']['driver'];
  forwarding?: 'DR' | 'NAT' | 'TUN';
  card?: string;
  syncCard?: string;
  vip?: string;
  http?: string;
  https?: string;
  storage?: string;
  mountpoint?: string;
  link?: string;
  approveJoins?: boolean;
}

/** `web1:10.0.0.11:web,mail`. */
export function nodeFlag(text: string, before: PlannedNode[]): PlannedNode[] {
  const [name = '', address, roles, ...more] = text.split(':');
  if (address === undefined || roles === undefined || more.length > 0)
    throw new InvalidArgumentError('use NAME:ADDRESS:ROLE[,ROLE], such as web1:10.0.0.11:web');
  return [...before, { name, address, roles: roles.split(','), parameters: {} }];
}

export function answersOfFlags(flags: Flags): object {
  const { address, node, approveJoins } = flags;
  return {
    ...(address === undefined ? {} : { address }),
    ...networksOf(flags),
    ...(node.length === 0 ? {} : { nodes: node }),
    ...balancerOf(flags),
    ...visitorsOf(flags),
    ...storageOf(flags),
    ...(approveJoins === undefined ? {} : { approveJoins }),
  };
}

/** A flag that only means something beside another one. */
function needs(flag: string, value: unknown, other: string): void {
  if (value !== undefined)
    throw new UsageError(`${flag} says nothing without ${other}`, `give ${other} as well`);
}

function networksOf({ network, publicNetwork }: Flags): object {
  if (network !== undefined)
    return {
      networks: { cluster: network, ...(publicNetwork === undefined ? {} : { public: publicNetwork }) },
    };
  needs('--public-network', publicNetwork, '--network');
  return {};
}

function balancerOf({ balancer, forwarding, card, syncCard }: Flags): object {
  if (balancer !== undefined)
    return {
      balancer: {
        driver: balancer,
        ...(forwarding === undefined ? {} : { forwarding }),
        ...(card === undefined ? {} : { card }),
        ...(syncCard === undefined ? {} : { syncCard }),
      },
    };
  needs('--forwarding', forwarding, '--balancer');
  needs('--card', card, '--balancer');
  needs('--sync-card', syncCard, '--balancer');
  return {};
}

function visitorsOf({ vip, http, https }: Flags): object {
  if (vip !== undefined)
    return {
      visitors: {
        ...{ vip, http: servedOf(http ?? '80') },
        ...(https === undefined ? {} : { https: servedOf(https) }),
      },
    };
  needs('--http', http, '--vip');
  needs('--https', https, '--vip');
  return {};
}

/** @throws UsageError, since commander says nothing of what it has not asked for */
function placeIn(text: string) {
  try {
    return placeOf(text);
  } catch (err) {
    throw new UsageError(`--storage ${text} is no place of a storage`, messageOf(err));
  }
}

function storageOf({ storage, mountpoint, link }: Flags): object {
  if (storage === 'none') return { storage };
  if (storage !== undefined)
    return { storage: { ...placeIn(storage), mountpoint, ...(link === undefined ? {} : { link }) } };
  needs('--mountpoint', mountpoint, '--storage');
  needs('--link', link, '--storage');
  return {};
}
