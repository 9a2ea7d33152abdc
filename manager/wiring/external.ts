/** What balancers of other people are given: the webhook, and what the API says of it and of the members. */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import type { View } from '../../common/view.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { ExternalView, PoolMembers } from '../../protocol/external.ts';
import { createPost } from '../external/post.ts';
import { createWebhook, type Webhook, type WebhookOptions } from '../external/webhook.ts';
import type { Pki } from '../pki/pki.ts';
import type { Pools } from '../pool/pools.ts';

export interface ExternalOptions extends Pick<WebhookOptions, 'held' | 'emit'> {
  store: { view(): View };
  pools: Pick<Pools, 'members' | 'onMembers'>;
  pki: Pick<Pki, 'sign' | 'signingKey'>;
  clock: Clock;
  log: Log;
}

export interface External extends Pick<Webhook, 'look' | 'start'> {
  /** @throws EvenkeelError not-found, or busy while the manager does not know yet who is well */
  members(service: string): PoolMembers;
  view(): ExternalView;
}

export function createExternal({ store, pools, pki, held, emit, clock, log }: ExternalOptions): External {
  const webhook = createWebhook({
    receiver: () => store.view().Cluster.get('cluster')?.spec.external?.webhook,
    pools,
    post: createPost({ sign: pki.sign, clock }),
    held,
    emit,
    clock,
    log,
  });
  return {
    look: webhook.look,
    start: webhook.start,
    members: (service) => {
      if (!store.view().VirtualService.has(service))
        throw new EvenkeelError('not-found', `there is no VirtualService/${service}`);
      const members = pools.members().find((one) => one.service === service);
      if (!members) throw new EvenkeelError('busy', 'the manager has just begun to listen to the nodes');
      return members;
    },
    view: () => ({ signingKey: pki.signingKey, webhook: webhook.view() }),
  };
}
