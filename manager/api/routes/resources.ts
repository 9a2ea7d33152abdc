/** Resources one by one: list, read, put, patch, delete; a revision is the ETag, and If-Match judges it. */
import type { FastifyReply } from 'fastify';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { type Kind, keyOf } from '../../../protocol/resource.ts';
import type { StoredResource } from '../../../protocol/views.ts';
import { forbiddenEdits } from '../change/allowed.ts';
import type { Changes } from '../change/carry-out.ts';
import { etagOf, wantedRevision } from '../change/conditions.ts';
import { withWhatIsKnown } from '../change/documents.ts';
import { mergePatch } from '../change/merge-patch.ts';
import { changeOne, type OneChanged } from '../change/one.ts';
import { refuse } from '../change/refuse.ts';
import { type ApiStore, actorOf } from '../given.ts';
import type { Handlers } from '../mount.ts';

type ResourceRoutes = Pick<Handlers, 'list' | 'get' | 'put' | 'patch' | 'delete'>;

export function resourceRoutes(store: ApiStore, { write }: Changes): ResourceRoutes {
  const parts = { store, write };
  return {
    list: async ({ params: { kind }, query: { after, limit } }) => {
      const page = await store.list(kind, { after, limit: limit + 1 });
      const items = page.slice(0, limit).map(shown);
      const next = page.length > limit ? (items.at(-1)?.name ?? null) : null;
      return { items, next, total: store.total(kind) };
    },
    get: async ({ params: { kind, name }, reply }) => {
      const found = await store.get(kind, name);
      if (!found) throw nothing(kind, name);
      reply.header('etag', etagOf(found.revision));
      return shown(found);
    },
    put: async ({ params: { kind, name }, query: { force }, body: { spec }, caller, request, reply }) =>
      answered(
        await changeOne(parts, {
          ...{ kind, name, caller, guard: guardOf(force) },
          wanted: () => withWhatIsKnown({ kind, name, spec }, store.view()),
          ifMatch: (has) => wantedRevision(request.headers, has),
        }),
        reply,
      ),
    patch: async ({ params: { kind, name }, query: { force }, body: { spec }, caller, request, reply }) =>
      answered(
        await changeOne(parts, {
          ...{ kind, name, caller, guard: guardOf(force) },
          wanted: (known) => {
            if (!known) throw nothing(kind, name);
            return { spec: mergePatch(known.spec, spec) };
          },
          ifMatch: (has) => wantedRevision(request.headers, has),
        }),
        reply,
      ),
    delete: async ({ params: { kind, name }, query: { force }, caller, request, reply }) => {
      const known = await store.get(kind, name);
      if (!known) throw nothing(kind, name);
      const ifMatch = wantedRevision(request.headers, known.revision);
      const edits = [{ op: 'delete' as const, kind, name, where: '', ifMatch }];
      refuse(forbiddenEdits(edits, caller, store.view()));
      const { revision, warnings } = await write({ actor: actorOf(caller), edits, guard: guardOf(force) });
      warn(reply, warnings);
      return { revision };
    },
  };
}

const guardOf = (force = false) => (force ? ('forced' as const) : ('on' as const));

const nothing = (kind: Kind, name: string) =>
  new EvenkeelError('not-found', `there is no ${keyOf({ kind, name })}`);

const shown = ({ kind, name, revision, digest, spec }: StoredResource): StoredResource => ({
  kind,
  name,
  revision,
  digest,
  spec,
});

function answered({ resource, created, warnings }: OneChanged, reply: FastifyReply): StoredResource {
  reply.code(created ? 201 : 200).header('etag', etagOf(resource.revision));
  warn(reply, warnings);
  return resource;
}

/** What a header may hold, so that every client and proxy takes it. */
const MOST_WARNINGS = 20;
const MOST_BYTES = 4096;
const MOST_LETTERS = 300;

const encoded = (warnings: readonly string[]): string => encodeURIComponent(JSON.stringify(warnings));

/** Warnings where the answer has no place for them: a header of JSON, which says how many it leaves out. */
export function warn(reply: FastifyReply, warnings: string[]): void {
  if (warnings.length === 0) return;
  const shown = warnings
    .slice(0, MOST_WARNINGS)
    .map((text) => (text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS)}...` : text));
  while (encoded(shown).length > MOST_BYTES) shown.pop();
  const left = warnings.length - shown.length;
  reply.header('x-evenkeel-warnings', encoded(left > 0 ? [...shown, `and ${left} more`] : shown));
}
