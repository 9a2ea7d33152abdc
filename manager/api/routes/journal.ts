/** The journal, its verification, and the pools: what is read as it is. */
import type { Given } from '../given.ts';
import type { Handlers } from '../mount.ts';

export const journalRoutes = ({ store, pools }: Given): Pick<Handlers, 'journal' | 'verify' | 'pools'> => ({
  journal: async ({ query }) => {
    const items = await store.journal(query);
    const { revision, epoch } = store.meta();
    return { items, revision, epoch };
  },
  verify: () => store.verify(),
  pools: () => ({ items: pools.views() }),
});
