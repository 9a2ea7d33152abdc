/** The link to the manager: follows the node's scopes, keeps its desired state at their heads, says that it lives, and reports. */
import type { KeyObject } from 'node:crypto';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { messageOf } from '../../protocol/errors.ts';
import type {
  Answer,
  Ask,
  Incarnation,
  Lease,
  PoolState,
  Receipt,
  ScopeName,
} from '../../protocol/messages.ts';
import type { LiveOutput } from '../../protocol/queue.ts';
import type { NodeSpec } from '../../protocol/resources/node.ts';
import { createAlarms } from './alarms.ts';
import { createAsks } from './asks.ts';
import { createConnection } from './connect.ts';
import { createHearing } from './hear.ts';
import { createOutbox, type ReportBody } from './outbox.ts';
import { createPresence, type Presence } from './presence.ts';
import { createPull } from './pull.ts';
import { createReceiver, type DesiredState, type Receiver } from './receive.ts';
import { createVoice, type TrafficBody } from './voice.ts';

/** What the link needs of the desired state, besides what receiving needs. */
export interface LinkDesired extends DesiredState {
  /** Every scope of which something is kept. */
  scopes(): ScopeName[];
  /** Forgets a scope that is not followed any more, and says which resources went with it. */
  drop(scope: ScopeName): Promise<string[]>;
  get(kind: 'Node', name: string): { spec: NodeSpec } | undefined;
}

export interface LinkHandlers {
  /** These resources changed on disk, whole: look again. */
  applied(keys: string[]): void;
  pool(state: PoolState): void;
  lease(lease: Lease): void;
  ask(ask: Ask): Promise<Answer>;
  /** A new session has begun: say again all that holds. */
  hello(): void;
  /** The manager knows who this is, and does not let it in. */
  refused(): void;
}

export interface LinkOptions {
  identity: {
    node: string;
    cluster: string;
    address: string;
    ports: { machines: number; broker: number };
    signingKey: KeyObject;
    current(): { key: string; cert: string; ca: string };
  };
  incarnation?: Incarnation;
  desired: LinkDesired;
  handlers: LinkHandlers;
  /** Whether all is well here, as each beat says. */
  beat: () => { ok: boolean };
  /** Of the agent. */
  version: string;
  release?: string | undefined;
  clock: Clock;
  log: Log;
}

export interface Link {
  /** Begins to dial; returns its undo, which says farewell. */
  start(): () => Promise<void>;
  /** Keeps a report until the manager has it. */
  report(body: ReportBody): void;
  /** Says what a balancer has counted, now or never. */
  traffic(body: TrafficBody): void;
  /** Says what a command says, now or never. */
  output(piece: LiveOutput): void;
  connected(): boolean;
  counts(): ReturnType<Receiver['counts']> & { waiting: number; dropped: number };
}

const BEAT_MS = 2_000;

export function createLink(options: LinkOptions): Link {
  const { identity, desired, handlers, beat, version, release, clock, log } = options;
  const { node, cluster, signingKey, address, ports, current: credentials } = identity;
  const presence = createPresence({ node, version, release, desired });
  const voice = createVoice({ node, presence, isWell: () => beat().ok, connection: () => connection });
  const outbox = createOutbox({ send: voice.report, session: () => connection.session(), clock, log });
  const alarms = createAlarms(outbox.add);
  const ask = createAsks({ handle: handlers.ask, send: voice.answer, clock });

  const applied = (keys: string[]) => {
    handlers.applied(keys);
    if (!keys.includes(`Node/${node}`)) return;
    connection.follow();
    tidy();
  };
  /** After other roles, after what strayed in, and after a start: a crash may have come before the drop. */
  const tidy = () => {
    dropLost(options, presence, receiver).then(voice.status, (err: unknown) =>
      log.error({ node, err: messageOf(err) }, 'scopes were not dropped'),
    );
  };
  const receiver = createReceiver({
    cluster,
    desired,
    pull: createPull({ address, port: ports.machines, signingKey, credentials }),
    alarms,
    follows: (scope) => presence.scopes().includes(scope),
    applied,
    stray: tidy,
    clock,
    log,
  });
  const listeners = {
    head: receiver.head,
    pool: handlers.pool,
    lease: handlers.lease,
    ask: (asked: Ask) => void ask(asked),
    receipt: ({ ids }: Receipt) => outbox.received(ids),
  };
  const hello = () => {
    voice.status();
    voice.beat();
    alarms.repeat();
    outbox.flush({ again: true });
    handlers.hello();
  };
  const connection = createConnection({
    ...{ node, address, credentials, incarnation: options.incarnation },
    port: ports.broker,
    will: voice.farewell,
    filters: presence.filters,
    onUp: hello,
    onRefused: handlers.refused,
    onMessage: createHearing({ node, cluster, signingKey, listeners, log }),
    clock,
    log,
  });
  return {
    start: () => {
      connection.start();
      tidy();
      const undo = [clock.every(BEAT_MS, voice.beat), clock.every(BEAT_MS, () => outbox.flush())];
      return async () => {
        for (const stop of undo) stop();
        await connection.stop(voice.farewell(connection.session()));
        await receiver.stop();
      };
    },
    report: (body) => {
      outbox.add(body);
      // How it stands now is known at once, and not with the next beat.
      if (body.type === 'unit') voice.beat();
    },
    ...{ traffic: voice.traffic, output: voice.output },
    connected: connection.connected,
    counts: () => ({ ...receiver.counts(), ...outbox.counts() }),
  };
}

/** Other roles, other scopes: what is not followed any more is forgotten. */
async function dropLost(
  { identity, desired, handlers, log }: LinkOptions,
  presence: Presence,
  receiver: Receiver,
) {
  const followed = presence.scopes();
  for (const scope of desired.scopes().filter((kept) => !followed.includes(kept))) {
    receiver.forget(scope);
    const gone = await desired.drop(scope);
    log.info({ node: identity.node, scope }, 'scope is not followed any more');
    if (gone.length > 0) handlers.applied(gone);
  }
}
