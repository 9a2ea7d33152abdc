/** Storages: who mounts them, and the verbs that move one to another server. */
import { actorOf, type Given } from '../given.ts';
import type { Handlers } from '../mount.ts';
import { warn } from './resources.ts';

type StorageRoutes = Pick<Handlers, 'storages' | 'storage' | 'storageMove' | 'storageCancel'>;

export function storageRoutes({ storage }: Given): StorageRoutes {
  return {
    storages: () => ({ items: storage.views() }),
    storage: ({ params: { name } }) => storage.view(name),
    storageMove: async ({ params: { name }, body, caller, reply }) => {
      const { warnings } = await storage.begin({ ...body, name, actor: actorOf(caller) });
      warn(reply, warnings);
      return storage.view(name);
    },
    storageCancel: async ({ params: { name }, caller }) => {
      await storage.cancel({ name, actor: actorOf(caller) });
      return storage.view(name);
    },
  };
}
