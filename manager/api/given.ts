/** What the API is given: the parts of the manager that it asks, each as narrow as it needs them. */
import type { Readable } from 'node:stream';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { AnswerOf, BodyOf, QueryOf } from '../../protocol/endpoints.ts';
import type { EvenkeelError } from '../../protocol/errors.ts';
import type { ExternalView, PoolMembers } from '../../protocol/external.ts';
import type { InviteView, WaitingView } from '../../protocol/joining.ts';
import type { Answer, Ask } from '../../protocol/messages.ts';
import type { Examined } from '../../protocol/preflight.ts';
import type { QueueView, RunLine } from '../../protocol/queue-api.ts';
import type { StorageView } from '../../protocol/storage.ts';
import type {
  AccessRole,
  EventLine,
  HistoryView,
  ManagerState,
  NodeView,
  PoolView,
  TrafficView,
} from '../../protocol/views.ts';
import type { Store } from '../store/store.ts';

export type ApiStore = Pick<
  Store,
  'write' | 'judge' | 'get' | 'list' | 'total' | 'each' | 'view' | 'journal' | 'verify' | 'meta' | 'tokens'
>;

/** One who watches a run. */
export interface RunReader {
  lines(lines: readonly RunLine[]): Promise<void>;
  failed(error: EvenkeelError): void;
}

/** The event stream, as manager/events.ts keeps it. */
export interface ApiEvents {
  /** Keeps what happened, such as a token that was made. */
  emit(happening: Omit<EventLine, 'id' | 'at'>): void;
  read(query: {
    since?: string | undefined;
    limit: number;
    node?: string | undefined;
    type?: string | undefined;
  }): Promise<{ items: EventLine[]; next: string }>;
  follow(
    query: { since: string; node?: string | undefined; type?: string | undefined },
    reader: {
      lines(lines: EventLine[]): void | Promise<void>;
      failed(error: EvenkeelError): void;
    },
  ): () => void;
}

export interface Given {
  store: ApiStore;
  events: ApiEvents;
  nodes: { all(): NodeView[]; one(name: string): NodeView | undefined };
  pools: { views(): PoolView[] };
  external: {
    /** @throws EvenkeelError not-found, or busy while nothing is known yet */
    members(service: string): PoolMembers;
    view(): ExternalView;
  };
  storage: {
    views(): StorageView[];
    view(name: string): StorageView;
    begin(move: BodyOf<'storageMove'> & { name: string; actor: string }): Promise<{ warnings: string[] }>;
    cancel(move: { name: string; actor: string }): Promise<void>;
  };
  runs: {
    start(body: BodyOf<'runStart'>, caller: Caller): Promise<AnswerOf<'runStart'>>;
    again(id: string, caller: Caller): Promise<AnswerOf<'runAgain'>>;
    cancelRun(id: string, reason: string, caller: Caller): Promise<AnswerOf<'runCancel'>>;
    undo(id: string, again: boolean, caller: Caller): Promise<AnswerOf<'runUndo'>>;
    list(page: QueryOf<'runs'>): Promise<AnswerOf<'runs'>>;
    one(id: string): Promise<AnswerOf<'run'>>;
    follow(id: string): Promise<(reader: RunReader) => () => void>;
    tries(id: string, node: string): Promise<AnswerOf<'tries'>>;
    queues(): QueueView[];
    history(node: string, page: QueryOf<'queue'>): Promise<AnswerOf<'queue'>>;
    retry(node: string, given: Record<string, unknown>, caller: Caller): Promise<QueueView>;
    skip(node: string, word: BodyOf<'queueSkip'>, caller: Caller): Promise<QueueView>;
    cancel(node: string, word: BodyOf<'queueCancel'>, caller: Caller): Promise<QueueView>;
    pause(node: string, reason: string, caller: Caller): Promise<QueueView>;
    resume(node: string, caller: Caller): Promise<QueueView>;
    diagnose(node: string): Promise<AnswerOf<'queueDiagnose'>>;
  };
  schedules: {
    list(): Promise<AnswerOf<'schedules'>['items']>;
    one(name: string, page: QueryOf<'schedule'>): Promise<AnswerOf<'schedule'>>;
    run(name: string, caller: Caller): Promise<AnswerOf<'scheduleRun'>>;
  };
  history: {
    live(): TrafficView[];
    of(service: string, asked: QueryOf<'history'>): Promise<HistoryView>;
  };
  /** Asks the node itself. @throws EvenkeelError node-unreachable, busy */
  ask: (node: string, what: Ask['what'], more?: Pick<Ask, 'release'>) => Promise<Answer>;
  doctor: {
    /** @throws EvenkeelError not-found */
    node(name: string): Promise<Examined>;
    all(): Promise<Examined[]>;
  };
  join: {
    invite(body: BodyOf<'invite'>, by: string): Promise<AnswerOf<'invite'>>;
    invites(): InviteView[];
    uninvite(id: string, by: string): Promise<InviteView>;
    waiting(): WaitingView[];
    accept(chosen: { name: string; fingerprint?: string | undefined; by: string }): Promise<void>;
    refuse(chosen: { name: string; fingerprint?: string | undefined; by: string }): Promise<InviteView>;
    trust(chosen: { name: string; fingerprint: string; by: string }): Promise<void>;
    join(body: BodyOf<'join'>, from: string): Promise<AnswerOf<'join'>>;
    preflight(body: BodyOf<'preflight'>, from: string): Promise<AnswerOf<'preflight'>>;
    rejoin(body: BodyOf<'rejoin'>, from: string): Promise<AnswerOf<'rejoin'>>;
  };
  /** Hears of every token that is refused and of every address that is told to wait, without the token. */
  refused: (refusal: { door: 'token' | 'join'; who: string; message: string }) => void;
  going: {
    state(): ManagerState;
    resume(options: { actor: string; allowShrink: boolean }): Promise<ManagerState>;
  };
  release: {
    agent(): { id: string; sum: string } | undefined;
    /** @throws EvenkeelError not-found */
    script(): string;
    /** @throws EvenkeelError not-found, busy */
    bundle(): { size: number; stream: Readable };
  };
  backup: { stream(passphrase: string): Readable };
  metrics: {
    contentType: string;
    text(): Promise<string>;
    answered(request: { endpoint: string; status: number; seconds: number }): void;
  };
  clock: Clock;
  log: Log;
}

/** Who asks: the name of the token and what it may do. */
export interface Caller {
  name: string;
  role: AccessRole;
}

/** How a caller is named in the journal. */
export const actorOf = ({ name }: Caller): string => `token:${name}`;
