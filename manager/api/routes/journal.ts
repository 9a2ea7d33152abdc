/** The journal, its verification, the pools and what they carried: what is read as it is. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

export const journalRoutes = ({
  store,
  pools,
  history,
}: Given): Pick<Handlers, 'journal' | 'verify' | 'pools' | 'traffic' | 'history'> => ({
  journal: async ({ query }) => {
    const items = await store.journal(query);
    const { revision, epoch } = store.meta();
    return { items, revision, epoch };
  },
  verify: () => store.verify(),
  pools: () => ({ items: pools.views() }),
  traffic: () => ({ items: history.live() }),
  history: ({ params, query }) => history.of(params.service, query),
});
