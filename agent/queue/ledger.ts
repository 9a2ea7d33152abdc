/** The ledger: which tries this agent has taken, begun and ended, durable before anybody is told and before anything is done. */
import { randomUUID } from 'node:crypto';
import { makeFolder } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Try, TryResult } from '../../protocol/queue.ts';
import { createRecordLog, type RecordLog } from '../state/log.ts';

/** What has to be known of a try that was begun when nobody saw its end. */
export interface Begun {
  /** Of the box: another one says that it was started anew meanwhile. */
  boot: string;
  at: string;
  idempotent: boolean;
  /** It orders the box to be started anew. */
  reboots: boolean;
}

/** The leader of the group of a try, so that what is left of it after a crash can be ended. */
export interface Leader {
  pid: number;
  started: number;
}

/** Which try it is. What it was given, and that may be secret, is never on the disk: the manager hands it out again. */
type Named = Pick<Try, 'run' | 'number'>;

/** A try without an end. */
export interface Unended {
  try: Named;
  begun: Begun | null;
  leader: Leader | null;
}

export interface Ledger {
  /** Reads the disk. @throws EvenkeelError write-failed, and then it may be opened again */
  open(): Promise<void>;
  /** Made once. Another one knows nothing of what this one has begun. */
  id(): string;
  /** Why the files of an earlier run could not be believed; null when they could. */
  damage(): string | null;
  /** Undefined of a try that this agent never had. */
  stateOf(name: string): 'open' | 'ended' | undefined;
  /** The try without an end. There is one at most. */
  current(): Unended | null;
  /** Results without a receipt, the oldest first. */
  owed(): TryResult[];
  /** @throws EvenkeelError write-failed: then it was not taken */
  take(wanted: Named): Promise<void>;
  /** @throws EvenkeelError write-failed: then it must not begin */
  begin(begun: Begun): Promise<void>;
  lead(leader: Leader): Promise<void>;
  /** Durable when it resolves, or, on a disk that takes nothing, as soon as it takes something. Never rejects. */
  end(result: TryResult): Promise<void>;
  /** The manager asks again for a try of which it had the result. */
  owe(name: string): void;
  /** The manager has these. */
  kept(names: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

type LedgerRecord =
  | { t: 'ledger'; id: string }
  | { t: 'taken'; try: Named }
  | ({ t: 'begun' } & Begun)
  | { t: 'leader'; leader: Leader }
  | { t: 'ended'; result: TryResult }
  | { t: 'kept'; names: readonly string[] }
  | { t: 'done'; result: TryResult };

export const nameOf = ({ run, number }: Named): string => `${run}/${number}`;

/** Of so many tries that are over it is known how they ended. */
const MOST_DONE = 5_000;
/** Of the error of a try that is over. */
const GIST = 200;

const short = (result: TryResult): TryResult => ({
  ...result,
  error: result.error && { ...result.error, message: result.error.message.slice(0, GIST) },
  output: '',
  omitted: result.omitted + result.output.length,
});

/** What the records say, in memory. */
function createBook() {
  let id = '';
  let current: Unended | null = null;
  const owed = new Map<string, TryResult>();
  const done = new Map<string, TryResult>();

  const finish = (name: string, result: TryResult) => {
    owed.delete(name);
    done.set(name, short(result));
    for (const oldest of done.keys()) {
      if (done.size <= MOST_DONE) break;
      done.delete(oldest);
    }
  };
  const acts: { [T in LedgerRecord['t']]: (record: Extract<LedgerRecord, { t: T }>) => void } = {
    ledger: (record) => {
      id = record.id;
    },
    taken: (record) => {
      current = { try: record.try, begun: null, leader: null };
    },
    begun: ({ t: _, ...begun }) => {
      if (current) current.begun = begun;
    },
    leader: ({ leader }) => {
      if (current) current.leader = leader;
    },
    ended: ({ result }) => {
      if (current && nameOf(current.try) === nameOf(result)) current = null;
      owed.set(nameOf(result), result);
    },
    kept: ({ names }) => {
      for (const name of names) {
        const result = owed.get(name);
        if (result) finish(name, result);
      }
    },
    done: ({ result }) => finish(nameOf(result), result),
  };
  return {
    note: <T extends LedgerRecord['t']>(record: Extract<LedgerRecord, { t: T }>) =>
      acts[record.t as T](record),
    id: () => id,
    current: () => current,
    owed,
    done,
    *records(): Generator<LedgerRecord> {
      yield { t: 'ledger', id };
      for (const result of done.values()) yield { t: 'done', result };
      for (const result of owed.values()) yield { t: 'ended', result };
      if (!current) return;
      yield { t: 'taken', try: current.try };
      if (current.begun) yield { t: 'begun', ...current.begun };
      if (current.leader) yield { t: 'leader', leader: current.leader };
    },
  };
}

/** @param folder holds `tries.log` and `tries.snapshot` */
export function createLedger({ folder, log }: { folder: string; log: Log }): Ledger {
  let file: RecordLog | null = null;
  let book = createBook();
  let damage: string | null = null;
  /** What holds and could not be written so far. */
  const unwritten: LedgerRecord[] = [];
  let queue: Promise<unknown> = Promise.resolve();

  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work);
    queue = turn.catch(() => undefined);
    return turn;
  };
  const append = async (record: LedgerRecord) => {
    if (!file) throw new EvenkeelError('write-failed', `${folder}: the ledger is not open`);
    await file.append(record);
  };
  /** What was appended holds whatever comes of this. */
  const tidy = async () => {
    if (!file?.isLong()) return;
    await file
      .compact(book.records())
      .catch((err: unknown) => log.error({ err: messageOf(err) }, 'the ledger was not compacted'));
  };
  const flush = async () => {
    for (let next = unwritten[0]; next !== undefined; next = unwritten[0]) {
      await append(next);
      unwritten.shift();
    }
  };
  /** Holds when it is on the disk, and not before. */
  const must = (record: LedgerRecord) =>
    inTurn(async () => {
      await flush();
      await append(record);
      book.note(record);
      await tidy();
    });
  /** Has happened, whatever the disk takes: it is told only after the disk was asked. */
  const has = (record: LedgerRecord) =>
    inTurn(async () => {
      unwritten.push(record);
      await flush().catch((err: unknown) =>
        log.error(
          { err: messageOf(err) },
          'the ledger is behind; it is written as soon as the disk takes it',
        ),
      );
      book.note(record);
      await tidy();
    });
  const read = async (one: RecordLog) => {
    for (const record of await one.load()) book.note(record as LedgerRecord);
    const { owed, done } = book;
    if (book.id() === '' && (owed.size > 0 || done.size > 0 || book.current()))
      throw new EvenkeelError('store-damaged', `${folder}: the ledger has no name`);
  };
  const readOrBegin = async (one: RecordLog) => {
    try {
      await read(one);
    } catch (err) {
      if (!(err instanceof EvenkeelError) || err.code !== 'store-damaged') throw err;
      damage = messageOf(err);
      log.error({ err: damage }, 'the ledger is damaged; it is set aside, and what was begun is not known');
      book = createBook();
      await one.setAside();
    }
    if (book.id() !== '') return;
    const record: LedgerRecord = { t: 'ledger', id: randomUUID() };
    await one.append(record);
    book.note(record);
  };
  const open = async () => {
    await makeFolder(folder, 0o700);
    book = createBook();
    const one = createRecordLog({ folder, name: 'tries' });
    try {
      await readOrBegin(one);
    } catch (err) {
      await one.close();
      throw err;
    }
    file = one;
  };
  return {
    open: () => inTurn(open),
    id: () => book.id(),
    damage: () => damage,
    stateOf: (name) => {
      if (book.owed.has(name) || book.done.has(name)) return 'ended';
      const current = book.current();
      return current && nameOf(current.try) === name ? 'open' : undefined;
    },
    current: () => book.current(),
    owed: () => [...book.owed.values()],
    take: ({ run, number }) => must({ t: 'taken', try: { run, number } }),
    begin: (begun) => must({ t: 'begun', ...begun }),
    lead: (leader) => has({ t: 'leader', leader }),
    end: (result) => has({ t: 'ended', result }),
    owe: (name) => {
      const result = book.done.get(name);
      if (result) book.owed.set(name, result);
    },
    kept: (names) => {
      const known = names.filter((name) => book.owed.has(name));
      return known.length === 0 ? Promise.resolve() : has({ t: 'kept', names: known });
    },
    close: () =>
      inTurn(async () => {
        await file?.close();
        file = null;
      }),
  };
}
