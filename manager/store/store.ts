/** What the store promises: its interface and the shapes that go in and come out. */
import type { Invite } from '../../common/invite.ts';
import type { Edit } from '../../common/rules.ts';
import type { Stored, View } from '../../common/view.ts';
import type { Change, ScopeName } from '../../protocol/messages.ts';
import type { Kind } from '../../protocol/resource.ts';
import type { AccessRole, EventLine, JournalEntry } from '../../protocol/views.ts';
import type { QueueRows } from './queue.ts';
import type { ScheduleRows } from './schedules.ts';

export interface WriteRequest {
  actor: string;
  edits: Edit[];
  /** Deletes resources of these kinds that are not among the edits. */
  prune?: Kind[];
  /** on: large removals and empty pools are refused. forced: carried out, and nodes may follow. exempt: for verbs of their own. */
  guard?: 'on' | 'forced' | 'exempt';
  /** Where the guard is on: what of it is carried out, by its messages. */
  losses?: readonly string[];
  /** What becomes of an invite with this write, both or neither. */
  invite?: InviteStep;
  /** At which revision of each kind it was tried: it is refused with `overtaken` where one was written after that. */
  tried?: Partial<Record<Kind, number>>;
}

export interface Outcome {
  kind: Kind;
  name: string;
  op: 'create' | 'update' | 'delete' | 'unchanged';
  revision: number;
  digest: string;
}

export interface WriteResult {
  epoch: number;
  /** Of its last entry; where the store stands when nothing changed. */
  revision: number;
  /** In the order of the edits, then what was pruned. */
  outcomes: Outcome[];
  /** What the guard found, where it was told not to refuse. */
  warnings: string[];
}

/** Where a scope stands. */
export interface HeadBasis {
  scope: ScopeName;
  epoch: number;
  rev: number;
  /** The scope's own previous revision. */
  since: number;
  count: number;
  digest: string;
  /** An operator allowed large removals up to here. */
  shrink?: { epoch: number; rev: number };
}

/** A delta after `since`, or a snapshot where `since` is null; of one moment, which the basis names. */
export type ScopeChanges = Omit<HeadBasis, 'since'> & { since: number | null; changes: Change[] };

/** What one transaction did. */
export interface Commit {
  entries: Omit<JournalEntry, 'body' | 'did'>[];
  /** One for each touched scope; `changes` is null when there is too much of it to ride in a message. */
  heads: (HeadBasis & { changes: Change[] | null })[];
  touches: Record<ScopeName, number>;
  /** Scopes that nobody follows any more; their heads are among `heads` for a last time, empty. */
  gone: ScopeName[];
}

export interface Meta {
  cluster: string;
  created: string;
  epoch: number;
  revision: number;
  mode: 'serving' | 'held';
  /** Why it is held. */
  reason?: string;
  /** It does not verify: it can be read and nothing else. */
  damaged: boolean;
}

export type Happening = Omit<EventLine, 'id' | 'at'>;

export interface EventQuery {
  /** The id after which to begin; without it the newest. */
  since?: string | undefined;
  limit: number;
  node?: string | undefined;
}

export interface Events {
  /** Keeps what happened; never rejects and never waits. */
  append(happenings: Happening[]): void;
  /** Oldest first. */
  range(query: EventQuery): Promise<EventLine[]>;
  /** The last event of these families about each thing of each node, without what is bulky in it. */
  latest(families: readonly string[]): Promise<EventLine[]>;
  /** Called once they are kept. */
  onAppended(listener: (lines: EventLine[]) => void): () => void;
}

export interface Token {
  name: string;
  role: AccessRole;
  created: string;
}

export interface Tokens {
  /** @returns the secret, shown this once. @throws EvenkeelError already-exists */
  create(token: { name: string; role: AccessRole }): Promise<string>;
  /** Whose secret it is. */
  find(secret: string): Token | undefined;
  /** Whether a token that `find` gave still opens anything; another one of its name is not the same. */
  stands(token: Pick<Token, 'name' | 'role'>): boolean;
  list(): Token[];
  /** @returns whether there was one */
  revoke(name: string): Promise<boolean>;
}

/** A change of one invite, judged on it as it is when the write has its turn. */
export interface InviteStep {
  id: string;
  /** @throws EvenkeelError: the whole write is refused */
  change(now: Invite): Invite;
}

export interface Invites {
  /** @throws EvenkeelError bad-request when there are too many */
  add(invite: Invite): Promise<void>;
  /** Undefined when it is unknown or expired. A write changes it: `WriteRequest.invite`. */
  get(id: string): Invite | undefined;
  /** All that are kept, oldest first. */
  list(): Invite[];
}

export interface CertificateRecord {
  serial: string;
  node: string;
  /** SHA-256 of its public key. */
  key: string;
  issued: string;
  expires: string;
}

export interface Certificates {
  add(record: CertificateRecord): Promise<void>;
  /** The one that ends last, of those not revoked. */
  latest(node: string): CertificateRecord | undefined;
  /** Revokes all of a node. @returns how many */
  revoke(node: string): Promise<number>;
}

export interface Verification {
  ok: boolean;
  entries: number;
  /** Entries that still have their body. */
  bodies: number;
  scopes: number;
  /** The first hundred. */
  problems: string[];
}

/** How an operator lets the store go on. */
export interface Resume {
  actor: string;
  /** The highest epoch that any node, or an earlier store of this cluster, has shown. */
  seenEpoch: number;
  /** Nodes may drop more than a fifth of a kind to match this store. */
  allowShrink: boolean;
}

export interface Store {
  /** Durable when it resolves. @throws EvenkeelError with every problem; nothing has changed then */
  write(request: WriteRequest): Promise<WriteResult>;
  /** The same judgement of one moment, between writes, and stopped before its own. @throws EvenkeelError as `write` does */
  judge(request: WriteRequest): Promise<WriteResult>;
  get<K extends Kind>(kind: K, name: string): Promise<Stored<K> | undefined>;
  /** By name. */
  list<K extends Kind>(kind: K, page: { after?: string | undefined; limit: number }): Promise<Stored<K>[]>;
  total(kind: Kind): number;
  each<K extends Kind>(kind: K): AsyncIterable<Stored<K>>;
  /** What is committed right now. It moves on with the next commit: read it, do not keep it. */
  view(): View;
  heads(): HeadBasis[];
  head(scope: ScopeName): HeadBasis | undefined;
  /** What happened in a scope since a revision: a delta, or a snapshot when that is older than kept, unknown or in doubt. */
  changes(scope: ScopeName, epoch: number, since: number): Promise<ScopeChanges>;
  /** Called after each COMMIT, in order. A listener that throws is logged. */
  onCommit(listener: (commit: Commit) => void): () => void;
  /** After `since`, oldest first; without it the newest, oldest first. */
  journal(page: { since?: number | undefined; limit: number }): Promise<JournalEntry[]>;
  verify(): Promise<Verification>;
  /** Writes a consistent copy to a file that must not exist, under writes. */
  backup(file: string): Promise<void>;
  meta(): Meta;
  /** Nothing may be written until `resume`. */
  hold(reason: string): Promise<void>;
  /** Serves again, in a new epoch. @throws EvenkeelError store-damaged */
  resume(options: Resume): Promise<void>;
  /** Prunes what is older than is kept, in small slices. */
  prune(): Promise<void>;
  events: Events;
  tokens: Tokens;
  invites: Invites;
  certificates: Certificates;
  queue: QueueRows;
  schedules: ScheduleRows;
  close(): Promise<void>;
}
