/** Storage: where site data lives, as the nodes mount it. */
import { type Static, Type } from 'typebox';
import { AbsolutePath, ByName, Identifier, IPv4, Name, ParameterValue, Strict } from '../values.ts';

export const StorageName = Name;

export const StorageSpec = Strict({
  server: Type.Union([IPv4], { description: 'The address of the file server' }),
  export: AbsolutePath,
  mountpoint: AbsolutePath,
  options: ByName(Identifier, ParameterValue, { default: {} }),
});
export type StorageSpec = Static<typeof StorageSpec>;
