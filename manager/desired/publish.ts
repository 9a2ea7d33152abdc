/** Commits turned into signed heads: one retained message a scope, the changes riding along where they are small. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { Change, Envelope, Head, ScopeName, Status } from '../../protocol/messages.ts';
import { topicOf } from '../../protocol/topics.ts';

/** Where a scope stands in the store. */
interface HeadBasis {
  scope: ScopeName;
  epoch: number;
  rev: number;
  /** The scope's own previous revision. */
  since: number;
  count: number;
  digest: string;
  shrink?: { epoch: number; rev: number };
}

/** What one commit did to the scopes that it touched; `changes` is null where there is too much of it. */
interface Commit {
  heads: (HeadBasis & { changes: Change[] | null })[];
  touches: Record<ScopeName, number>;
  gone: ScopeName[];
}

export interface PublisherOptions {
  cluster: string;
  store: {
    heads(): HeadBasis[];
    head(scope: ScopeName): HeadBasis | undefined;
    meta(): { epoch: number; revision: number; mode: 'serving' | 'held' };
    /** Holds the manager until an operator says how to go on. */
    hold(reason: string): Promise<void>;
    onCommit(listener: (commit: Commit) => void): () => void;
  };
  publish: (topic: string, envelope: Envelope) => Promise<void>;
  seal: (head: Head) => Envelope;
  /** Forgets a retained message. */
  clear: (topic: string) => Promise<void>;
  clock: Clock;
  log: Log;
}

/** A node that has something the store has not. */
export interface Ahead {
  node: string;
  scope: ScopeName;
  epoch: number;
  rev: number;
}

export interface Publisher {
  /** Publishes every head, and from then on the heads of each commit. Before the broker lets nodes in. Returns its undo. */
  start(): Promise<() => void>;
  /** Publishes every head: after a hold is over. Forgets who was ahead. */
  resume(): Promise<void>;
  /** Compares what a node has with the store; a node that is ahead of it holds the manager. */
  noticed(node: string, status: Status): void;
  ahead(): Ahead[];
  /** Says a head again, because somebody seems to have missed it: at most once in a while, however many ask. */
  again(scope: ScopeName): void;
}

const INLINE_BYTES = 32 * 1024;
const MOST_AHEAD = 1000;
const AGAIN_MS = 5_000;
/** An epoch begins with a resume or a restore. One that lies further ahead than this was never begun: it is no stand, but a lie. */
const MOST_EPOCHS_AHEAD = 1000;

/** What waits to be published of one scope. */
interface Waiting {
  basis: HeadBasis;
  /** The revision from which the changes lead. */
  since: number;
  /** Null where they are too many to ride along. */
  changes: Map<string, Change> | null;
  touches: Record<ScopeName, number>;
  gone: boolean;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { cluster, store, publish, clear, seal, clock, log } = options;
  const waiting = new Map<ScopeName, Waiting>();
  const sending = new Set<ScopeName>();
  const saidAgain = new Map<ScopeName, number>();
  const ahead = new Map<string, Ahead>();
  const held = () => store.meta().mode === 'held';

  const send = async (next: Waiting) => {
    const topic = topicOf.head(next.basis.scope);
    try {
      if (!held()) await publish(topic, seal(headOf(cluster, next, moment(clock))));
      if (next.gone) await clear(topic);
    } catch (err) {
      const { scope, rev } = next.basis;
      log.error({ scope, revision: rev, err: messageOf(err) }, 'head was not published');
    }
  };
  /** One message of a scope at a time: what comes meanwhile is gathered into the next one. */
  const flush = async (scope: ScopeName): Promise<void> => {
    if (sending.has(scope)) return;
    sending.add(scope);
    for (let next = waiting.get(scope); next; next = waiting.get(scope)) {
      waiting.delete(scope);
      await send(next);
    }
    sending.delete(scope);
  };
  const onCommit = (commit: Commit) => {
    for (const head of commit.heads) {
      waiting.set(head.scope, gather(waiting.get(head.scope), head, commit));
      void flush(head.scope);
    }
  };
  const publishAll = async () => {
    if (held()) return;
    for (const basis of store.heads()) await send(bare(basis));
  };
  const again = (scope: ScopeName) => {
    const basis = store.head(scope);
    const last = saidAgain.get(scope) ?? Number.NEGATIVE_INFINITY;
    if (!basis || clock.monotonic() - last < AGAIN_MS) return;
    saidAgain.set(scope, clock.monotonic());
    if (!waiting.has(scope)) waiting.set(scope, bare(basis));
    void flush(scope);
  };
  const isAhead = (scope: ScopeName, shown: { epoch: number; rev: number }) => {
    const { epoch, revision } = store.meta();
    // Of a scope that the store does not know, any revision up to its newest may be its own past.
    const rev = store.head(scope)?.rev ?? revision;
    return shown.epoch > epoch || (shown.epoch === epoch && shown.rev > rev);
  };
  const notice = (seen: Ahead) => {
    const { node, scope, epoch, rev } = seen;
    if (epoch > store.meta().epoch + MOST_EPOCHS_AHEAD)
      return log.error({ node, scope, epoch }, 'a node shows an epoch that never was');
    if (ahead.size < MOST_AHEAD) ahead.set(`${node} ${scope}`, seen);
    log.error({ node, scope, epoch, revision: rev }, 'a node is ahead of the store');
    if (held()) return;
    const reason = `node ${node} has revision ${rev} of epoch ${epoch} in ${scope}, the store has not`;
    store.hold(reason).catch((err: unknown) => log.error({ err: messageOf(err) }, 'hold was not kept'));
  };
  return {
    start: async () => {
      const undo = store.onCommit(onCommit);
      await publishAll();
      return undo;
    },
    resume: async () => {
      ahead.clear();
      await publishAll();
    },
    noticed: (node, { scopes }) => {
      for (const [scope, { epoch, rev }] of Object.entries(scopes))
        if (isAhead(scope, { epoch, rev })) notice({ node, scope, epoch, rev });
    },
    ahead: () => [...ahead.values()],
    again,
  };
}

/** A head that carries nothing: who is behind it pulls. */
const bare = (basis: HeadBasis): Waiting => ({
  basis,
  since: basis.since,
  changes: null,
  touches: {},
  gone: false,
});

function headOf(cluster: string, { basis, since, touches, changes }: Waiting, at: string): Head {
  const inline = changes && [...changes.values()];
  return {
    type: 'head',
    cluster,
    ...basis,
    since,
    touches,
    at,
    ...(inline && isSmall(inline) ? { changes: inline } : {}),
  };
}

/** Joins what a commit did to what still waits of the same scope. The last word about a resource counts. */
function gather(before: Waiting | undefined, head: Commit['heads'][number], commit: Commit): Waiting {
  const { changes, ...basis } = head;
  const gathered =
    changes === null || before?.changes === null ? null : new Map<string, Change>(before?.changes);
  for (const change of changes ?? []) gathered?.set(`${change.kind}/${change.name}`, change);
  return {
    basis,
    since: before?.since ?? basis.since,
    changes: gathered,
    touches: { ...before?.touches, ...commit.touches },
    gone: commit.gone.includes(basis.scope),
  };
}

function isSmall(changes: Change[]): boolean {
  const bodies = changes.reduce((sum, change) => sum + ('body' in change ? change.body.length : 0), 0);
  return bodies <= INLINE_BYTES && Buffer.byteLength(JSON.stringify(changes)) <= INLINE_BYTES;
}
