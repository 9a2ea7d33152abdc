/** The event stream: journal entries and happenings merged into one, resumable from any line, and followed live. */
import type { Log } from '../common/log.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import type { EventLine, JournalEntry } from '../protocol/views.ts';

export type Happening = Omit<EventLine, 'id' | 'at'>;
type Entry = Omit<JournalEntry, 'body' | 'did'>;

/** What the stream is made of. */
export interface EventsStore {
  events: {
    append(happenings: Happening[]): void;
    /** Oldest first; without `since` the newest. */
    range(query: { since?: string; limit: number; node?: string | undefined }): Promise<EventLine[]>;
    onAppended(listener: (lines: EventLine[]) => void): () => void;
  };
  journal(page: { since?: number; limit: number }): Promise<Entry[]>;
  onCommit(listener: (commit: { entries: readonly Entry[] }) => void): () => void;
}

export interface EventFilter {
  node?: string | undefined;
  /** A type or a family of them: `drift` means `drift.repaired` as well. */
  type?: string | undefined;
}

/** Who follows. A promise is waited for while old lines are sent, and only then. */
export interface EventReader {
  lines(lines: EventLine[]): void | Promise<void>;
  /** Nothing comes after this. */
  failed(error: EvenkeelError): void;
}

export interface EventStream {
  /** Keeps what happened and tells all who follow; never waits. */
  emit(happening: Happening): void;
  /** After `since`, oldest first; without it the newest, oldest first. `next` is where the following question begins. */
  read(
    query: EventFilter & { since?: string | undefined; limit: number },
  ): Promise<{ items: EventLine[]; next: string }>;
  /** Every line after `since`, old ones first, each once and in order. Returns its undo. */
  follow(query: EventFilter & { since: string }, reader: EventReader): () => void;
  /** Begins to tell followers; returns its undo. */
  start(): () => void;
}

/** A line and its number in its own source. */
interface Item {
  of: 'journal' | 'happening';
  nr: number;
  line: Omit<EventLine, 'id'>;
}

/** How far one has read in both sources; its text is the id of a line, so any line resumes the stream after itself. */
interface Position {
  rev: number;
  seq: number;
}

const PAGE = 1000;
/** How many of the newest are looked through for a filter, when nothing says where to begin. */
const LOOK_BACK = 5000;
const MOST_PAGES = 100;
const MOST_PENDING = 10_000;
const MOST_FOLLOWERS = 200;

export function createEvents({ store, log }: { store: EventsStore; log: Log }): EventStream {
  const followers = new Set<(items: Item[]) => void>();
  const tell = (items: Item[]) => {
    for (const follower of [...followers]) follower(items);
  };

  const newest = async (filter: EventFilter, limit: number) => {
    const depth = filter.node === undefined && filter.type === undefined ? limit : LOOK_BACK;
    const items = await fetch(store, filter.node, { journal: {}, happenings: {}, limit: depth });
    const { lines, end } = walk(items, positionBefore(items), filter);
    return { items: lines.slice(-limit), next: idOf(end) };
  };
  const after = async (filter: EventFilter, since: string, limit: number) => {
    let position = positionOf(since);
    const found: EventLine[] = [];
    for (let pages = 0; pages < MOST_PAGES && found.length < limit; pages += 1) {
      const page = await pageAfter(store, filter.node, position);
      if (page.length === 0) break;
      const { lines, end } = walk(page, position, filter);
      found.push(...lines);
      position = end;
    }
    const items = found.slice(0, limit);
    const cut = items.length < found.length ? items.at(-1)?.id : undefined;
    return { items, next: cut ?? idOf(position) };
  };
  const read: EventStream['read'] = ({ since, limit, ...filter }) =>
    since === undefined ? newest(filter, limit) : after(filter, since, limit);

  const follow: EventStream['follow'] = ({ since, ...filter }, reader) => {
    if (followers.size >= MOST_FOLLOWERS) {
      reader.failed(new EvenkeelError('busy', `${MOST_FOLLOWERS} readers follow the events already`));
      return () => false;
    }
    let position = positionOf(since);
    let pending: Item[] | undefined = [];
    const end = () => followers.delete(hear);
    const fail = (error: EvenkeelError) => {
      if (end()) reader.failed(error);
    };
    const deliver = (items: Item[]) => {
      const fresh = items.filter(({ of, nr }) => nr > (of === 'journal' ? position.rev : position.seq));
      const walked = walk(fresh, position, filter);
      position = walked.end;
      if (walked.lines.length > 0) void reader.lines(walked.lines);
    };
    const hear = (items: Item[]) => {
      if (!pending) return deliver(items);
      pending.push(...items);
      if (pending.length > MOST_PENDING) fail(new EvenkeelError('slow-reader', 'too much happens meanwhile'));
    };
    const catchUp = async () => {
      for (let before = ''; before !== idOf(position) && followers.has(hear); ) {
        before = idOf(position);
        const page = await after(filter, before, PAGE);
        position = positionOf(page.next);
        if (page.items.length > 0) await reader.lines(page.items);
      }
      const missed = pending ?? [];
      pending = undefined;
      if (followers.has(hear)) deliver(missed);
    };
    followers.add(hear);
    catchUp().catch((err: unknown) => {
      log.error({ err: messageOf(err) }, 'events could not be read');
      fail(new EvenkeelError('internal', 'the events could not be read', { cause: err }));
    });
    return end;
  };
  return {
    emit: (happening) => store.events.append([happening]),
    read,
    follow,
    start: () => {
      const undo = [
        store.onCommit(({ entries }) => tell(entries.map(itemOfEntry))),
        store.events.onAppended((lines) => tell(lines.map(itemOfLine))),
      ];
      return () => {
        for (const end of undo) end();
      };
    },
  };
}

const idOf = ({ rev, seq }: Position): string => `${rev}.${seq}`;

function positionOf(id: string): Position {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(id);
  if (match) return { rev: Number(match[1]), seq: Number(match[2]) };
  throw new EvenkeelError('bad-request', `${id.slice(0, 40)} is not the id of an event`);
}

const itemOfEntry = (entry: Entry): Item => ({ of: 'journal', nr: entry.rev, line: lineOf(entry) });
const itemOfLine = ({ id, ...line }: EventLine): Item => ({ of: 'happening', nr: Number(id), line });

function lineOf({ rev, epoch, at, actor, kind, name, op, digest }: Entry): Omit<EventLine, 'id'> {
  const subject = `${kind}/${name}`;
  const did = op === 'put' ? 'has declared' : op === 'delete' ? 'has deleted' : `has begun epoch ${epoch} on`;
  return {
    at,
    type: `journal.${op}`,
    severity: op === 'epoch' ? 'warning' : 'info',
    ...(kind === 'Node' ? { node: name } : {}),
    subject,
    message: `${actor} ${did} ${subject}, revision ${rev}`,
    data: { revision: rev, epoch, actor, digest },
  };
}

interface Fetch {
  journal: { since?: number };
  happenings: { since?: string };
  limit: number;
}

async function fetch(store: EventsStore, node: string | undefined, what: Fetch): Promise<Item[]> {
  const { journal, happenings, limit } = what;
  const [entries, lines] = await Promise.all([
    store.journal({ ...journal, limit }),
    store.events.range({ ...happenings, limit, node }),
  ]);
  return merge(entries.map(itemOfEntry), lines.map(itemOfLine));
}

/** The first items of both sources together: no more than each was asked for, so that their order is the true one. */
async function pageAfter(store: EventsStore, node: string | undefined, { rev, seq }: Position) {
  const from = { journal: { since: rev }, happenings: { since: String(seq) } };
  return (await fetch(store, node, { ...from, limit: PAGE })).slice(0, PAGE);
}

/** By time; each source keeps its own order, also where the clock has jumped. */
function merge(journal: Item[], happenings: Item[]): Item[] {
  const merged: Item[] = [];
  let next = 0;
  for (const item of happenings) {
    for (let entry = journal[next]; entry && entry.line.at <= item.line.at; entry = journal[next]) {
      merged.push(entry);
      next += 1;
    }
    merged.push(item);
  }
  return merged.concat(journal.slice(next));
}

const positionBefore = (items: Item[]): Position => {
  const before = (source: Item['of']) => Math.max(0, (items.find(({ of }) => of === source)?.nr ?? 1) - 1);
  return { rev: before('journal'), seq: before('happening') };
};

/** Gives each line its id, and passes over those that the filter leaves out. */
function walk(items: Item[], start: Position, filter: EventFilter): { lines: EventLine[]; end: Position } {
  const lines: EventLine[] = [];
  let end = start;
  for (const { of, nr, line } of items) {
    end = of === 'journal' ? { ...end, rev: nr } : { ...end, seq: nr };
    if (matches(line, filter)) lines.push({ id: idOf(end), ...line });
  }
  return { lines, end };
}

const matches = (line: Omit<EventLine, 'id'>, { node, type }: EventFilter): boolean =>
  (node === undefined || line.node === node) &&
  (type === undefined || line.type === type || line.type.startsWith(`${type}.`));
