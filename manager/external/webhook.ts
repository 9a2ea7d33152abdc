/**
 * The webhook: the members of each pool, posted whenever they change, for as long as they are the newest. Of each pool
 * one is on its way at a time, and what became old while the receiver was away is never sent.
 */
import { type Clock, moment } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { createLoop } from '../../common/loop.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { ExternalView, PoolMembers } from '../../protocol/external.ts';
import type { EventLine } from '../../protocol/views.ts';
import type { Post, Receiver } from './post.ts';

export interface WebhookOptions {
  /** Who is to be told; undefined where nobody is. */
  receiver: () => Receiver | undefined;
  pools: {
    members(): PoolMembers[];
    onMembers(listener: (members: PoolMembers) => void): () => void;
  };
  post: Post;
  /** A manager that is held tells nobody anything. */
  held: () => boolean;
  emit: (happening: Omit<EventLine, 'id' | 'at'>) => void;
  clock: Clock;
  log: Log;
}

export interface Webhook {
  /** Who is to be told may be somebody else now. */
  look(): void;
  view(): ExternalView['webhook'];
  start(): () => Promise<void>;
}

interface Failure {
  tick: number;
  since: string;
  error: string;
}

const BACKOFF = { first: 500, cap: 30_000 };
const HELD_AGAIN_MS = 5_000;
/** Failing for so long is an event. */
const PATIENCE_MS = 60_000;
/** Services that are gone, of which the receiver was not told yet: the oldest give way. */
const MOST_GONE = 1_000;

export function createWebhook({ receiver, pools, post, held, emit, clock, log }: WebhookOptions): Webhook {
  const newest = new Map<string, PoolMembers>();
  /** What each service was last told, and to whom. */
  const delivered = new Map<string, string>();
  const failures = new Map<string, Failure>();
  let told = false;

  const deliver = async (service: string) => {
    const [to, said] = [receiver(), newest.get(service)];
    if (!to || !said || delivered.get(service) === gistOf(to, said)) return undefined;
    if (held()) return { againAfter: HELD_AGAIN_MS };
    try {
      await post(to, JSON.stringify(said));
    } catch (err) {
      noteFailure(service, to, messageOf(err));
      throw err;
    }
    delivered.set(service, gistOf(to, said));
    noteSuccess(service, to);
    if (said.withdrawn && newest.get(service) === said) forget(service);
    return undefined;
  };
  const loop = createLoop({ clock, log, work: deliver, backoff: BACKOFF });
  const forget = (service: string) => {
    newest.delete(service);
    delivered.delete(service);
    failures.delete(service);
  };
  const hear = (said: PoolMembers) => {
    newest.delete(said.service);
    newest.set(said.service, said);
    const gone = [...newest.values()].filter(({ withdrawn }) => withdrawn);
    for (const { service } of gone.slice(0, -MOST_GONE)) forget(service);
    loop.put(said.service);
  };
  const noteFailure = (service: string, { url }: Receiver, error: string) => {
    const first = failures.get(service) ?? { tick: clock.monotonic(), since: moment(clock) };
    failures.set(service, { ...first, error });
    if (told || clock.monotonic() - first.tick < PATIENCE_MS) return;
    told = true;
    const message = `the webhook ${url} has not taken the members of ${service} since ${first.since}: ${error}`;
    emit({ type: 'webhook.failing', severity: 'error', subject: service, message });
  };
  const noteSuccess = (service: string, { url }: Receiver) => {
    failures.delete(service);
    if (!told || failures.size > 0) return;
    told = false;
    emit({
      ...{ type: 'webhook.delivered', severity: 'info', subject: service },
      message: `the webhook ${url} has taken the members of all pools again`,
    });
  };
  const look = () => {
    if (receiver() === undefined) failures.clear();
    for (const service of newest.keys()) loop.put(service);
  };
  return {
    look,
    view: () => {
      const to = receiver();
      if (!to) return null;
      const waiting = [...newest.values()].filter((said) => delivered.get(said.service) !== gistOf(to, said));
      const [failing] = [...failures.values()].sort((a, b) => a.tick - b.tick);
      return {
        url: to.url,
        waiting: waiting.map(({ service }) => service).sort(),
        failing: failing ? { since: failing.since, error: failing.error } : null,
      };
    },
    start: () => {
      const undo = pools.onMembers(hear);
      for (const said of pools.members()) hear(said);
      return async () => {
        undo();
        await loop.stop();
      };
    },
  };
}

const gistOf = ({ url, ca = '' }: Receiver, { epoch, seq }: PoolMembers): string =>
  JSON.stringify([url, ca, epoch, seq]);
