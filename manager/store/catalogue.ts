/** The catalogue: what is declared, in memory, so that conditions and unique names are judged without the disk. */

import type { Invite } from '../../common/invite.ts';
import { claimsOf, type SiteStub, type Stored } from '../../common/view.ts';
import { type Kind, kindNames } from '../../protocol/resource.ts';
import type { Breath } from './breath.ts';
import { createLayerTable, type LayerTable, type WritableTable } from './layer.ts';

/** What a table of each name holds. */
type Held = { [K in Exclude<Kind, 'Site'>]: Stored<K> } & {
  Site: SiteStub;
  domains: string;
  invites: Invite;
};

export type Catalogue = { [T in keyof Held]: WritableTable<Held[T]> };
/** Changes on top of a catalogue. */
export type Draft = { [T in keyof Held]: LayerTable<Held[T]> };
/** A resource as the catalogue keeps it. */
export type Entry = Stored | SiteStub;

const tableNames: (keyof Held)[] = [...kindNames, 'domains', 'invites'];

const build = <T>(make: (name: keyof Held) => unknown): T =>
  Object.fromEntries(tableNames.map((name) => [name, make(name)])) as T;

export const createCatalogue = (): Catalogue => build(() => new Map());

export const createDraft = (below: Catalogue | Draft): Draft =>
  build((name) => createLayerTable<unknown>(below[name]));

/** Carries all changes of a draft into what lies below it. */
export function pour(draft: Draft, into: Catalogue | Draft): void {
  for (const name of tableNames)
    (draft[name] as LayerTable<unknown>).pour(into[name] as WritableTable<unknown>);
}

/** Forgets all changes of a draft. */
export function drop(draft: Draft): void {
  for (const name of tableNames) draft[name].drop();
}

/** The table of a kind, for code that treats all kinds alike. */
export const tableOf = <C extends Catalogue | Draft>(catalogue: C, kind: Kind) =>
  catalogue[kind] as unknown as C extends Draft ? LayerTable<Entry> : WritableTable<Entry>;

export function stubOf({ name, revision, digest, spec }: Stored<'Site'>): SiteStub {
  return { kind: 'Site', name, revision, digest, aliases: spec.aliases, defaultServer: spec.defaultServer };
}

/**
 * Puts and removes resources together: all claims that end are given up before new ones are made, so that two sites
 * may exchange a name in one request. That no two claim the same is for the rules to say.
 */
export async function hold(
  catalogue: Catalogue | Draft,
  puts: Entry[],
  removals: { kind: Kind; name: string }[],
  breathe: Breath = () => undefined,
): Promise<void> {
  for (const { kind, name } of [...removals, ...puts]) {
    if (kind === 'Site') giveUp(catalogue, name);
    const turn = breathe();
    if (turn) await turn;
  }
  for (const { kind, name } of removals) tableOf(catalogue, kind).delete(name);
  for (const entry of puts) {
    tableOf(catalogue, entry.kind).set(entry.name, entry);
    const turn = breathe();
    if (turn) await turn;
    if (entry.kind === 'Site')
      for (const claim of claimsOf(entry as SiteStub)) catalogue.domains.set(claim, entry.name);
  }
}

function giveUp(catalogue: Catalogue | Draft, name: string): void {
  const site = catalogue.Site.get(name);
  if (site) for (const claim of claimsOf(site)) catalogue.domains.delete(claim);
}
