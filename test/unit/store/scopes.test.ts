/** Scopes: whatever is written in whatever order, each holds what selection from scratch says, by snapshot, delta and head. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createScopeSum } from '../../../common/digest.ts';
import { type Edit, keyOfEdit } from '../../../common/rules.ts';
import { rules } from '../../../manager/desired/rules.ts';
import type { Commit, HeadBasis, ScopeChanges, Store } from '../../../manager/store/store.ts';
import type { Change } from '../../../protocol/messages.ts';
import { type Kind, keyOf, kindNames } from '../../../protocol/resource.ts';
import { declare, deletion, node, policy, puts, service, site, template } from './declared.ts';
import { opened } from './opened.ts';

/** Any state may come up, also those that admission would refuse: selection must hold for all. */
const lenient = { ...rules, admit: () => [], guard: () => [] };

type Contents = Map<string, string>;

/** From scratch: which resources belong to each scope, with their digests. */
function selected(store: Store): Map<string, Contents> {
  const view = store.view();
  const interests = rules.interestsOf(view);
  const scopes = new Map(
    [...rules.followedScopes(view)].map((scope): [string, Contents] => [scope, new Map()]),
  );
  for (const kind of kindNames)
    for (const resource of view[kind].values())
      for (const scope of rules.scopesOf(resource, interests))
        scopes.get(scope)?.set(keyOf(resource), resource.digest);
  return scopes;
}

function fold(contents: Contents, changes: Change[]): void {
  for (const change of changes)
    if (change.op === 'put') contents.set(keyOf(change), change.digest);
    else contents.delete(keyOf(change));
}

function digestOf(contents: Contents): string {
  const sum = createScopeSum();
  for (const [key, digest] of contents) {
    const [kind = '', ...name] = key.split('/');
    sum.add(kind, name.join('/'), digest);
  }
  return sum.hex();
}

const byScope = (a: HeadBasis, b: HeadBasis) => (a.scope < b.scope ? -1 : 1);

/** What a node would have of each scope: from heads where they fit, else by pulling. */
function createFollower(store: Store) {
  const has = new Map<string, { rev: number; contents: Contents }>();
  const take = ({ scope, rev, since, changes }: ScopeChanges) => {
    const contents: Contents = since === null ? new Map() : (has.get(scope)?.contents ?? new Map());
    fold(contents, changes);
    has.set(scope, { rev, contents });
  };
  return {
    has,
    hear: ({ heads, gone }: Commit) => {
      for (const { scope, since, rev, changes } of heads) {
        const own = has.get(scope) ?? { rev: 0, contents: new Map() };
        if (changes === null || own.rev !== since) continue;
        fold(own.contents, changes);
        has.set(scope, { rev, contents: own.contents });
      }
      for (const scope of gone) has.delete(scope);
    },
    pull: async (scope: string) => take(await store.changes(scope, 1, has.get(scope)?.rev ?? 0)),
  };
}

const few = (prefix: string, count: number) =>
  fc.constantFrom(...Array.from({ length: count }, (_, n) => `${prefix}${n}`));
const roles = fc.subarray(['web', 'balancer', 'other']);
const inputs = fc
  .subarray(['Site', 'VirtualService', 'Storage', 'Node', 'Cluster'])
  .chain((kinds) =>
    fc
      .constantFrom(undefined, 'web')
      .map((role) =>
        Object.fromEntries(
          kinds.map((kind) => [kind.toLowerCase(), kind === 'Node' && role ? { kind, role } : { kind }]),
        ),
      ),
  );
const anyPut = fc.oneof(
  fc
    .tuple(few('s', 5), fc.integer({ min: 1, max: 3 }))
    .map(([n, size]) => site(`${n}.example.org`, { maxBody: `${size}m` })),
  fc
    .tuple(few('p', 3), fc.constantFrom('web', 'balancer'), inputs, few('t', 3))
    .map(([name, role, taken, t]) =>
      policy(name, { role, inputs: taken, files: [{ template: `${t}.hbs`, path: 'f' }] }),
    ),
  fc.tuple(few('n', 3), roles).map(([name, of]) => node(name, { roles: of })),
  fc.tuple(few('t', 3), few('t', 3)).map(([name, other]) => template(`${name}.hbs`, `{{> ${other}.hbs}}`)),
  few('v', 2).map((name) => service(name)),
  few('d', 2).map((name) =>
    declare('Storage', name, { server: '192.0.2.1', export: '/x', mountpoint: '/y' }),
  ),
);
const anyDeletion = fc
  .oneof(
    fc.tuple(
      fc.constant('Site'),
      few('s', 5).map((name) => `${name}.example.org`),
    ),
    fc.tuple(fc.constant('Policy'), few('p', 3)),
    fc.tuple(fc.constant('Node'), few('n', 3)),
    fc.tuple(
      fc.constant('Template'),
      few('t', 3).map((name) => `${name}.hbs`),
    ),
    fc.tuple(fc.constant('VirtualService'), few('v', 2)),
  )
  .map(([kind, name]) => deletion(kind as Kind, name));
const anyEdit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 3, arbitrary: anyPut.map((resource) => puts(resource)[0] as Edit) },
  { weight: 1, arbitrary: anyDeletion },
);
const anyRequest = fc.uniqueArray(anyEdit, {
  minLength: 1,
  maxLength: 6,
  selector: (edit) => keyOf(keyOfEdit(edit)),
});
/** Requests that are sent at once, and how many of the scopes are pulled afterwards. */
const anyStep = fc.record({
  requests: fc.array(anyRequest, { minLength: 1, maxLength: 4 }),
  pulls: fc.boolean(),
});

it('[2.3] scope contents, sums and heads equal selection from scratch, and delta equals snapshot, over random operations', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyStep, { minLength: 1, maxLength: 12 }), async (steps) => {
      const { store, file } = await opened({ rules: lenient });
      const follower = createFollower(store);
      store.onCommit(follower.hear);
      const commits: Commit[] = [];
      store.onCommit((commit) => commits.push(commit));
      for (const { requests, pulls } of steps) {
        await Promise.allSettled(requests.map((edits) => store.write({ actor: 'test', edits })));
        const wanted = selected(store);
        expect(
          store
            .heads()
            .map(({ scope }) => scope)
            .sort(),
        ).toEqual([...wanted.keys()].sort());
        for (const [scope, contents] of wanted) {
          const snapshot = await store.changes(scope, 1, 0);
          const whole: Contents = new Map();
          fold(whole, snapshot.changes);
          expect(whole).toEqual(contents);
          expect(store.head(scope)).toMatchObject({
            count: contents.size,
            digest: digestOf(contents),
            rev: snapshot.rev,
          });
          if (!pulls) continue;
          await follower.pull(scope);
          expect(follower.has.get(scope)?.contents, scope).toEqual(contents);
        }
      }
      for (const { heads, touches } of commits)
        expect(touches).toEqual(Object.fromEntries(heads.map(({ scope, rev }) => [scope, rev])));
      expect((await store.verify()).problems).toEqual([]);
      await store.close();
      const { store: again } = await opened({ rules: lenient, file });
      expect(again.meta()).toEqual(store.meta());
      expect(again.heads().sort(byScope)).toEqual(store.heads().sort(byScope));
      await again.close();
    }),
    { numRuns: 60 },
  );
}, 120_000);

it('[2.3] heads of one commit alone keep a follower at the contents of every scope', async () => {
  const { store } = await opened({ rules: lenient });
  const follower = createFollower(store);
  store.onCommit(follower.hear);
  const write = (...edits: Edit[]) => store.write({ actor: 'test', edits });
  await write(
    ...puts(template('main.hbs'), policy('web', { inputs: { sites: { kind: 'Site' } } }), node('n0')),
  );
  await write(...puts(site('a.example.org'), site('b.example.org')));
  await write(...puts(node('n0', { roles: ['web', 'balancer'] })), deletion('Site', 'a.example.org'));
  await write(...puts(policy('lb', { role: 'balancer', inputs: { nodes: { kind: 'Node', role: 'web' } } })));
  for (const [scope, contents] of selected(store)) {
    if (scope !== 'cluster') expect(follower.has.get(scope)?.contents, scope).toEqual(contents);
  }
});

it('[2.3] a node whose roles change moves between scopes without a change of the policies', async () => {
  const { store } = await opened({ rules: lenient });
  const write = (...edits: Edit[]) => store.write({ actor: 'test', edits });
  await write(
    ...puts(policy('lb', { role: 'balancer', inputs: { nodes: { kind: 'Node', role: 'web' } } }), node('n0')),
  );
  const { revision } = await write(...puts(site('a.example.org')));
  await write(...puts(node('n0', { roles: ['other'] })));
  expect((await store.changes('role/balancer', 1, revision - 1)).changes).toEqual([
    { op: 'delete', kind: 'Node', name: 'n0' },
  ]);
  expect(store.head('role/other')).toMatchObject({ count: 0 });
});

it('[2.3] the head of a scope that is gone is said one last time, empty', async () => {
  const { store } = await opened({ rules: lenient });
  const commits: Commit[] = [];
  await store.write({ actor: 'test', edits: puts(node('n0')) });
  store.onCommit((commit) => commits.push(commit));
  await store.write({ actor: 'test', edits: [deletion('Node', 'n0')] });
  expect(commits[0]?.gone.sort()).toEqual(['node/n0', 'role/web']);
  expect(commits[0]?.heads.find(({ scope }) => scope === 'node/n0')).toMatchObject({ count: 0 });
  expect(store.heads().map(({ scope }) => scope)).toEqual(['cluster']);
  expect(await store.changes('node/n0', 1, 1)).toMatchObject({ since: null, changes: [] });
});

it('[2.3] a pull from the future, of another epoch or of an unknown revision gets a snapshot', async () => {
  const { store } = await opened({ rules: lenient });
  const sites = Array.from({ length: 20 }, (_, n) => site(`s${n}.example.org`));
  await store.write({
    actor: 'test',
    edits: puts(policy('web', { inputs: { sites: { kind: 'Site' } } }), ...sites),
  });
  const { revision } = await store.write({
    actor: 'test',
    edits: puts(site('s0.example.org', { maxBody: '1m' })),
  });
  const pulled = async (epoch: number, since: number) =>
    (await store.changes('role/web', epoch, since)).since;
  expect(await pulled(1, revision - 1)).toBe(revision - 1);
  expect(await pulled(1, revision)).toBe(revision);
  expect(await pulled(1, revision + 1)).toBeNull();
  expect(await pulled(2, revision - 1)).toBeNull();
  expect(await pulled(1, 1)).toBeNull();
  expect(await pulled(1, 0)).toBeNull();
});

it('[2.3] changes ride along while they are few, and are left to be pulled when they are many', async () => {
  const { store } = await opened({ rules: lenient });
  const seen: (number | null)[] = [];
  await store.write({ actor: 'test', edits: puts(policy('web', { inputs: { sites: { kind: 'Site' } } })) });
  store.onCommit(({ heads }) => seen.push(...heads.map(({ changes }) => changes?.length ?? null)));
  await store.write({ actor: 'test', edits: puts(site('a.example.org')) });
  await store.write({
    actor: 'test',
    edits: puts(...Array.from({ length: 500 }, (_, n) => site(`s${n}.example.org`))),
  });
  expect(seen).toEqual([1, null]);
});

it('[2.3] a forced large removal allows nodes to follow it, in the touched scopes', async () => {
  const { store } = await opened();
  const sites = Array.from({ length: 20 }, (_, n) => site(`s${n}.example.org`));
  await store.write({
    actor: 'test',
    edits: puts(template('main.hbs'), policy('web', { inputs: { sites: { kind: 'Site' } } }), ...sites),
  });
  const edits = sites.slice(0, 10).map(({ name }) => deletion('Site', name));
  await expect(store.write({ actor: 'test', edits })).rejects.toMatchObject({ code: 'too-many-removals' });
  const { revision, warnings } = await store.write({ actor: 'test', edits, guard: 'forced' });
  expect(warnings).toHaveLength(1);
  expect(store.head('role/web')?.shrink).toEqual({ epoch: 1, rev: revision });
  expect(store.head('cluster')).not.toHaveProperty('shrink');
  await store.write({ actor: 'test', edits: puts(site('new.example.org')) });
  expect(store.head('role/web')?.shrink).toEqual({ epoch: 1, rev: revision });
});
