/** The outbox: reports wait here until the manager says that it has kept them; bounded, what others have overtaken goes first. */
import { randomUUID } from 'node:crypto';
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { Report } from '../../protocol/messages.ts';
import { topics } from '../../protocol/topics.ts';

type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
/** A report as a part of the agent writes it; id, session and moment are added here. */
export type ReportBody = Without<Report, 'id' | 'session' | 'at'>;

export interface Outbox {
  add(body: ReportBody): void;
  /** The manager has kept these. */
  received(ids: string[]): void;
  /** Sends what is due: all of it after a new connection, else what got no receipt in time. */
  flush(options?: { again: boolean }): void;
  counts(): { waiting: number; dropped: number };
}

export interface OutboxOptions {
  /** Sends one report; may be lost. False when there is no connection. */
  send: (report: Report) => boolean;
  session: () => string;
  clock: Clock;
  log: Log;
  limits?: { reports: number; underway: number };
}

const RECEIPT_MS = 5_000;

interface Entry {
  body: ReportBody;
  id: string;
  at: string;
  /** When it was last sent, on the monotonic clock. */
  sent: number | null;
}

export function createOutbox({
  send,
  session,
  clock,
  log,
  limits = { reports: 2000, underway: 64 },
}: OutboxOptions): Outbox {
  const entries = new Map<string, Entry>();
  let dropped = 0;
  const isUnderway = ({ sent }: Entry) => sent !== null && clock.monotonic() - sent < RECEIPT_MS;

  const flush = ({ again } = { again: false }) => {
    if (again) for (const entry of entries.values()) entry.sent = null;
    let underway = [...entries.values()].filter(isUnderway).length;
    for (const entry of entries.values()) {
      if (underway >= limits.underway) return;
      if (isUnderway(entry)) continue;
      const { body, id, at } = entry;
      if (!send({ ...body, id, at, session: session() } as Report)) return;
      entry.sent = clock.monotonic();
      underway += 1;
    }
  };
  const dropOne = () => {
    const [oldest] = entries.keys();
    const least = overtakenIn(entries) ?? oldest;
    if (least !== undefined) entries.delete(least);
    dropped += 1;
    if (dropped % 100 === 1) log.warn({ dropped }, 'the outbox is full; reports are dropped');
  };
  return {
    add: (body) => {
      const id = randomUUID();
      entries.set(id, { body: fitting(body), id, at: moment(clock), sent: null });
      if (entries.size > limits.reports) dropOne();
      flush();
    },
    received: (ids) => {
      for (const id of ids) settle(entries, id);
      flush();
    },
    flush,
    counts: () => ({ waiting: entries.size, dropped }),
  };
}

/** What a report is about, where a newer one of the same says all that still matters; null for what happened once. */
function subjectOf(body: ReportBody): string | null {
  if (body.type === 'check') return `check ${body.unit} ${body.check}`;
  if (body.type === 'pool') return `pool ${body.service}`;
  if (body.type === 'storage') return `storage ${body.storage}`;
  if (body.type === 'alarm') return `alarm ${body.code} ${body.subject}`;
  if (body.type === 'unit' && body.restarted === undefined) return `unit ${body.unit}`;
  return null;
}

/** Drops what was kept, and what it has overtaken: said after it, the manager would believe the older. */
function settle(entries: Map<string, Entry>, id: string): void {
  const kept = entries.get(id);
  if (kept === undefined) return;
  const subject = subjectOf(kept.body);
  for (const older of entries.values()) {
    if (older === kept) break;
    if (subject !== null && subjectOf(older.body) === subject) entries.delete(older.id);
  }
  entries.delete(id);
}

/** The oldest report that a newer one has overtaken. */
function overtakenIn(entries: ReadonlyMap<string, Entry>): string | undefined {
  const newest = new Map<string | null, string>();
  for (const { id, body } of entries.values()) newest.set(subjectOf(body), id);
  for (const { id, body } of entries.values()) {
    const subject = subjectOf(body);
    if (subject !== null && newest.get(subject) !== id) return id;
  }
  return undefined;
}

const ROOM_FOR_THE_REST = 1024;

/** What is larger than the broker lets through would never arrive: then the report goes without its diffs. */
function fitting(body: ReportBody): ReportBody {
  const size = Buffer.byteLength(JSON.stringify(body));
  if (size <= topics.report.limit - ROOM_FOR_THE_REST || !('diffs' in body)) return body;
  const diffs = body.diffs.slice(0, 100).map((diff) => ({ ...diff, diff: '', replaced: true }));
  return { ...body, diffs };
}
