/** Storage: where site data lives: whose disk it is, where nodes mount it, and how much of it each user may have. */
import { type Static, Type } from 'typebox';
import { AbsolutePath, ByName, Identifier, IPv4, Name, ParameterValue, Size, Strict } from '../values.ts';

export const StorageName = Name;

/** A user or group of the box. */
const User = Type.String({
  pattern: '^[a-z_][a-z0-9_-]{0,31}$',
  maxLength: 32,
  description: 'The name of a user',
  'x-rule': 'The name of a user',
  'x-fix': 'use lower case letters, digits, _ and -',
});

export const StorageSpec = Strict({
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
});
export type StorageSpec = Static<typeof StorageSpec>;
