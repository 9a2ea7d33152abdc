/** Apply: many documents, all or nothing, or only what would become of them. */
import type { BodyOf, QueryOf } from '../../../protocol/endpoints.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { ApplyBody } from '../../../protocol/views.ts';
import type { Changes } from '../change/carry-out.ts';
import { editsOf } from '../change/documents.ts';
import { type ApiStore, actorOf } from '../given.ts';
import type { Handlers } from '../mount.ts';

export const applyRoutes = (store: ApiStore, changes: Changes): Pick<Handlers, 'apply'> => ({
  apply: async ({ body, query, caller }) => {
    const { documents, prune, dryRun, force } = choices(body, query);
    const edits = await editsOf(documents, store.view(), caller);
    const request = {
      ...{ actor: actorOf(caller), edits, prune },
      guard: force ? ('forced' as const) : ('on' as const),
    };
    return dryRun ? changes.dryRun(request) : changes.apply(request);
  },
});

const prunable: ApplyBody['prune'] = ['Site', 'VirtualService', 'Storage'];

/** The body's own choices, or those of the query where the body is documents alone. */
function choices(body: BodyOf<'apply'>, query: QueryOf<'apply'>): ApplyBody {
  const named = (query.prune ?? '').split(',').filter(Boolean) as ApplyBody['prune'];
  const stranger = named.find((kind) => !prunable.includes(kind));
  if (stranger !== undefined)
    throw new EvenkeelError('bad-request', `${stranger} cannot be pruned; these can: ${prunable.join(', ')}`);
  return {
    documents: body.documents,
    prune: [...new Set([...body.prune, ...named])],
    dryRun: query.dryRun ?? body.dryRun,
    force: query.force ?? body.force,
  };
}
