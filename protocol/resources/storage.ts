/** Storage: where site data lives: whose disk it is, where nodes mount it, and how much of it each user may have. */
import { type Static, Type } from 'typebox';
import {
  AbsolutePath,
  ByName,
  Identifier,
  IPv4,
  Moment,
  Name,
  OneOf,
  ParameterValue,
  Size,
  Strict,
  Wait,
} from '../values.ts';

export const StorageName = Name;

/** A user or group of the box. */
const User = Type.String({
  pattern: '^[a-z_][a-z0-9_-]{0,31}$',
  maxLength: 32,
  description: 'The name of a user',
  'x-rule': 'The name of a user',
  'x-fix': 'use lower case letters, digits, _ and -',
});

/** Where data lie. */
const Place = {
  server: Type.Union(
    [
      IPv4,
      Strict(
        { node: Name },
        { description: 'A node of the role storage, whose exports are kept by Evenkeel' },
      ),
    ],
    { description: 'The file server: a node of this cluster, or the address of one that somebody else runs' },
  ),
  export: Type.Unsafe<string>({ ...AbsolutePath, description: 'The folder on the file server' }),
};
export const StoragePlace = Strict(Place);
export type StoragePlace = Static<typeof StoragePlace>;

/** The phases of a move, in their order; docs/adr/0007-storage-move.md says what holds in each. */
export const movePhases = ['copy', 'freeze', 'fence', 'compare', 'switch'] as const;
export type MovePhase = (typeof movePhases)[number];

/** Both sides are read whole meanwhile: some 300 GB in half an hour at 170 MB a second. */
export const CompareWithin = Type.Unsafe<string>({
  ...Wait,
  default: '30m',
  description: 'How long reading both sides whole may take, in which nobody may write; then it is taken back',
});

export const StorageMove = Strict(
  {
    id: Type.String({ maxLength: 64, description: 'Tells this move from any other' }),
    phase: OneOf([...movePhases]),
    since: Type.Unsafe<string>({ ...Moment, description: 'When the phase began' }),
    frozen: Type.Optional(Type.Unsafe<string>({ ...Moment, description: 'Since when nobody may write' })),
    by: Type.Unsafe<string>({ ...Name, description: 'The node that copies' }),
    from: StoragePlace,
    to: StoragePlace,
    compareWithin: CompareWithin,
  },
  { description: 'A move to another server that is under way; written by the manager alone' },
);
export type StorageMove = Static<typeof StorageMove>;

export const StorageSpec = Strict({
  ...Place,
  mountpoint: Type.Unsafe<string>({ ...AbsolutePath, description: 'Where nodes mount it' }),
  link: Type.Optional(
    Type.Unsafe<string>({
      ...AbsolutePath,
      description: 'A path that leads to the mountpoint by a symbolic link, such as /home to /chroot/home',
    }),
  ),
  options: ByName(Identifier, ParameterValue, {
    default: {},
    description: 'Mount options over those that the policy gives: true for one without a value',
  }),
  quotas: ByName(User, Strict({ soft: Size, hard: Size }), {
    default: {},
    description: 'By user: how much may lie in the export. Only for a server that is a node of this cluster',
  }),
  move: Type.Optional(StorageMove),
});
export type StorageSpec = Static<typeof StorageSpec>;
