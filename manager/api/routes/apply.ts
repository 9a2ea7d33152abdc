/** Apply: many documents, all or nothing, or only what would become of them. */
import { type Edit, keyOfEdit } from '../../../common/rules.ts';
import type { BodyOf, QueryOf } from '../../../protocol/endpoints.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { keyOf } from '../../../protocol/resource.ts';
import type { ApplyBody } from '../../../protocol/views.ts';
import { forbiddenEdits } from '../change/allowed.ts';
import type { Changes } from '../change/carry-out.ts';
import { editsOf } from '../change/documents.ts';
import { refuse } from '../change/refuse.ts';
import { type ApiStore, actorOf } from '../given.ts';
import type { Handlers } from '../mount.ts';

export const applyRoutes = (store: ApiStore, changes: Changes): Pick<Handlers, 'apply'> => ({
  apply: async ({ body, query, caller }) => {
    const { documents, prune, deletes, revisions, dryRun, force, losses } = choices(body, query);
    const view = store.view();
    const gone = deletes.map((one, at): Edit => ({ op: 'delete', ...one, where: `deletes/${at}` }));
    refuse(forbiddenEdits(gone, caller, view));
    const edits = [...(await editsOf(documents, view, caller)), ...gone].map((edit) =>
      withRevision(edit, revisions),
    );
    const actor = actorOf(caller);
    const request = { actor, edits, prune, losses, guard: force ? ('forced' as const) : ('on' as const) };
    return { ...(await (dryRun ? changes.dryRun(request) : changes.apply(request))), actor };
  },
});

function withRevision(edit: Edit, revisions: ApplyBody['revisions']): Edit {
  const ifMatch = revisions[keyOf(keyOfEdit(edit))];
  return ifMatch === undefined ? edit : { ...edit, ifMatch };
}

const prunable: ApplyBody['prune'] = ['Site', 'VirtualService', 'Storage'];

/** The body's own choices, or those of the query where the body is documents alone. */
function choices(body: BodyOf<'apply'>, query: QueryOf<'apply'>): ApplyBody {
  const named = (query.prune ?? '').split(',').filter(Boolean) as ApplyBody['prune'];
  const stranger = named.find((kind) => !prunable.includes(kind));
  if (stranger !== undefined)
    throw new EvenkeelError('bad-request', `${stranger} cannot be pruned; these can: ${prunable.join(', ')}`);
  return {
    ...body,
    prune: [...new Set([...body.prune, ...named])],
    dryRun: query.dryRun ?? body.dryRun,
    force: query.force ?? body.force,
  };
}
