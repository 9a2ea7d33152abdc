/** Layers: changes on top of a table that stays as it is until they are poured into it, or are dropped without a trace. */
import type { Table } from '../../common/view.ts';

export interface WritableTable<V> extends Table<V> {
  set(name: string, value: V): unknown;
  delete(name: string): unknown;
}

export interface LayerTable<V> extends WritableTable<V> {
  /** What differs from below: the new value, or undefined where it is gone. */
  changed(): Iterable<[name: string, now: V | undefined]>;
  /** Carries the changes into a table and forgets them. */
  pour(into: WritableTable<V>): void;
  /** Forgets the changes. */
  drop(): void;
}

export function createLayerTable<V>(below: Table<V>): LayerTable<V> {
  const own = new Map<string, V | undefined>();
  let grown = 0;
  const has = (name: string) => (own.has(name) ? own.get(name) !== undefined : below.has(name));
  function* keys() {
    for (const name of below.keys()) if (!own.has(name)) yield name;
    for (const [name, value] of own) if (value !== undefined) yield name;
  }
  function* values() {
    for (const name of keys()) yield get(name) as V;
  }
  const get = (name: string) => (own.has(name) ? own.get(name) : below.get(name));
  const drop = () => {
    own.clear();
    grown = 0;
  };
  return {
    get size() {
      return below.size + grown;
    },
    has,
    get,
    keys,
    values,
    set: (name, value) => {
      if (!has(name)) grown += 1;
      own.set(name, value);
    },
    delete: (name) => {
      if (!has(name)) return;
      grown -= 1;
      own.set(name, undefined);
    },
    changed: () => own,
    pour: (into) => {
      for (const [name, value] of own)
        if (value === undefined) into.delete(name);
        else into.set(name, value);
      drop();
    },
    drop,
  };
}
