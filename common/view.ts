/** The view: everything that is declared right now, as deciders read it. Sites may be many, so of them only a stub is held. */
import type { Kind, ResourceOf } from '../protocol/resource.ts';

/** What is declared, for those who need no more of it. */
export interface Declared<Spec> {
  name: string;
  spec: Spec;
}

/** A map that is only read; every `Map` is one. */
export interface Table<V> {
  readonly size: number;
  get(name: string): V | undefined;
  has(name: string): boolean;
  keys(): Iterable<string>;
  values(): Iterable<V>;
}

/** Which version of a resource this is: the revision that wrote it, and the SHA-256 of its canonical spec. */
export interface Version {
  revision: number;
  digest: string;
}

export type Stored<K extends Kind = Kind> = ResourceOf<K> & Version;

/** What deciders need of a site. */
export interface SiteStub extends Version {
  kind: 'Site';
  name: string;
  aliases: readonly string[];
  defaultServer: boolean;
}

export type SmallKind = Exclude<Kind, 'Site'>;

/** By kind, then by name: `view.Node.get('web1')?.spec`. */
export type View = { readonly [K in SmallKind]: Table<Stored<K>> } & {
  readonly Site: Table<SiteStub>;
  /** Every name and alias, and DEFAULT_SERVER, with the name of the one site that has it. */
  readonly domains: Table<string>;
};

/** What a default server claims beside its names; no domain can be written like this. */
export const DEFAULT_SERVER = 'default server';

/** What no two sites may have at once. */
export const claimsOf = ({ name, aliases, defaultServer }: Omit<SiteStub, keyof Version>): string[] => [
  name,
  ...aliases,
  ...(defaultServer ? [DEFAULT_SERVER] : []),
];
