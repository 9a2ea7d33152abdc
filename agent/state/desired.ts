/** What this box should be, from its own disk: with no manager in reach it starts from here and keeps the box as it was. */
import type { Log } from '../../common/log.ts';
import type { Item } from '../../common/render/rendered.ts';
import { inSlices } from '../../common/slices.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { ScopeName } from '../../protocol/messages.ts';
import { canonical, type Kind, keyOf } from '../../protocol/resource.ts';
import { createRecordLog } from './log.ts';
import {
  createUnitMemory,
  type Hold,
  type KeptMemory,
  type MemoryRecord,
  type UnitMemory,
  type Versions,
} from './memory.ts';
import { createScopes, type Judged, type Scopes, type ScopeUpdate } from './scopes.ts';

export type ItemOf<K extends Kind> = Extract<Item, { kind: K }>;

export interface Desired extends Pick<Scopes, 'stand' | 'preview'> {
  /** Reads the disk; returns its own undo. Damaged files are set aside, and everything is pulled again. */
  start(): Promise<() => Promise<void>>;
  /** Every scope of which something is kept. */
  scopes(): ScopeName[];
  /** Keeps the update and says which resources changed. @throws EvenkeelError digest-mismatch or write-failed, and then nothing was kept */
  apply(scope: ScopeName, update: ScopeUpdate): Promise<string[]>;
  /** Forgets a scope that is not followed any more, and says which resources changed by that. */
  drop(scope: ScopeName): Promise<string[]>;
  get<K extends Kind>(kind: K, name: string): ItemOf<K> | undefined;
  list<K extends Kind>(kind: K): ItemOf<K>[];
  /** The digest of a resource's version, by its key; null when there is none. */
  digest(key: string): string | null;
  /** What a unit remembers of versions that were good, and of those held back. */
  unit(unit: string): UnitMemory;
  /** The unit has proven good with these versions of what had changed. */
  settle(unit: string, tried: Versions): Promise<void>;
  hold(unit: string, holds: Iterable<[string, Hold]>): Promise<void>;
  /** Lets be tried again what the unit holds back, with `harmful` all of it; says what that is. */
  release(unit: string, options: { harmful: boolean }): Promise<string[]>;
  /** The unit is gone from this box. */
  forget(unit: string): Promise<void>;
  /** Tells at once of each change, before anybody else can see it. */
  onApplied(listener: (keys: readonly string[]) => void): () => void;
  /** Why the files of an earlier run could not be believed; null when they could. */
  damage(): string | null;
}

type ScopeRecord = { t: 'scope'; scope: ScopeName } & ScopeUpdate;
type LogRecord = ScopeRecord | { t: 'drop'; scope: ScopeName } | { t: 'forget'; unit: string } | MemoryRecord;

export function createDesired({ folder, log }: { folder: string; log: Log }): Desired {
  const file = createRecordLog({ folder, name: 'desired' });
  let scopes = createScopes();
  let units = new Map<string, KeptMemory>();
  let damage: string | null = null;
  let queue: Promise<unknown> = Promise.resolve();
  const listeners = new Set<(keys: readonly string[]) => void>();

  const present = {
    get: (key: string) => scopes.get(key),
    *keys() {
      for (const scope of scopes.names()) for (const item of scopes.items(scope)) yield keyOf(item);
    },
  };
  const unit = (name: string): KeptMemory => {
    const known = units.get(name) ?? createUnitMemory(name, present);
    units.set(name, known);
    return known;
  };
  /** Changes what is visible, and lets each unit remember what it was until now. */
  const witnessed = (keys: string[], change: () => string[]): string[] => {
    const before = new Map(keys.map((key) => [key, scopes.get(key)]));
    const changed = change();
    for (const memory of units.values())
      for (const key of changed) memory.noteChange(key, before.get(key), scopes.get(key));
    for (const listener of listeners) listener(changed);
    return changed;
  };
  const take = (judged: Judged): string[] =>
    witnessed([...judged.leaving, ...judged.puts.map(keyOf)], () => scopes.take(judged));
  const dropNow = (scope: ScopeName): string[] =>
    witnessed([...scopes.items(scope)].map(keyOf), () => scopes.drop(scope));

  const replay = async (record: LogRecord): Promise<void> => {
    if (record.t === 'scope') take(await inSlices(scopes.judge(record.scope, record)));
    else if (record.t === 'drop') dropNow(record.scope);
    else if (record.t === 'forget') units.delete(record.unit);
    else unit(record.unit).load(record);
  };
  /** The scopes first: what a unit remembers is judged against them. */
  function* everything(): Generator<undefined, LogRecord[]> {
    const records: LogRecord[] = [];
    for (const scope of scopes.names()) {
      const stand = scopes.stand(scope);
      const changes: ReturnType<typeof putOf>[] = [];
      for (const item of scopes.items(scope)) {
        changes.push(putOf(item));
        yield;
      }
      if (stand) records.push({ t: 'scope', scope, ...stand, snapshot: true, changes });
    }
    return [...records, ...[...units.values()].map((memory) => memory.record())];
  }
  const keep = async (record: LogRecord) => {
    await file.append(record);
    if (file.isLong()) compactLater();
  };
  const compactLater = () =>
    void inTurn(async () => {
      if (file.isLong()) await file.compact(await inSlices(everything()));
    }).catch((err: unknown) => log.error({ err: messageOf(err) }, 'desired state was not compacted'));
  /** One at a time: what is judged must still hold when it is written. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work);
    queue = turn.catch(() => undefined);
    return turn;
  };
  const remember = (record: MemoryRecord) =>
    keep(record).then(() => {
      unit(record.unit).load(record);
    });
  const load = async () => {
    try {
      for (const record of await file.load()) await replay(record as LogRecord);
    } catch (err) {
      const known = err instanceof EvenkeelError && ['store-damaged', 'digest-mismatch'].includes(err.code);
      if (!known) throw err;
      damage = messageOf(err);
      log.error({ err: damage }, 'desired state is damaged; it is set aside and pulled again');
      scopes = createScopes();
      units = new Map();
      await file.setAside();
    }
  };
  return {
    start: async () => {
      await load();
      return async () => {
        await queue;
        await file.close();
      };
    },
    scopes: () => scopes.names(),
    stand: (scope) => scopes.stand(scope),
    preview: (scope, update) => scopes.preview(scope, update),
    apply: (scope, update) =>
      inTurn(async () => {
        const judged = await inSlices(scopes.judge(scope, update));
        await keep({ t: 'scope', scope, ...update });
        return take(judged);
      }),
    drop: (scope) =>
      inTurn(async () => {
        await keep({ t: 'drop', scope });
        return dropNow(scope);
      }),
    get: <K extends Kind>(kind: K, name: string) => scopes.get(`${kind}/${name}`) as ItemOf<K> | undefined,
    list: <K extends Kind>(kind: K) => [...scopes.ofKind(kind).values()] as ItemOf<K>[],
    digest: (key) => scopes.get(key)?.digest ?? null,
    unit,
    settle: (name, tried) =>
      inTurn(async () => {
        const record = unit(name).settled(tried);
        if (JSON.stringify(record) !== JSON.stringify(unit(name).record())) await remember(record);
      }),
    hold: (name, holds) => inTurn(() => remember(unit(name).holding(holds))),
    release: (name, options) =>
      inTurn(async () => {
        const keys = unit(name).releasable(options);
        if (keys.length > 0) await remember(unit(name).releasing(keys));
        return keys;
      }),
    forget: (name) =>
      inTurn(async () => {
        if (!units.has(name)) return;
        await keep({ t: 'forget', unit: name });
        units.delete(name);
      }),
    onApplied: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    damage: () => damage,
  };
}

const putOf = ({ kind, name, digest, spec }: Item) => ({
  op: 'put' as const,
  kind,
  name,
  digest,
  body: canonical(spec),
});
