/** Group commit: what waits is one transaction, judged in order, and answers tell what is on disk. */
import { expect, it } from 'vitest';
import type { Invite } from '../../../common/invite.ts';
import type { Commit, Store } from '../../../manager/store/store.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { basics, deletion, node, puts, site } from './declared.ts';
import { contents, opened, refusal, tamper } from './opened.ts';

const put = (store: Store, name: string, spec: object = {}, ifMatch?: number) =>
  store.write({ actor: 'test', edits: puts(site(name, spec)).map((edit) => ({ ...edit, ifMatch })) });

it('[2.3] commits whatever waits as one transaction, a revision for each change', async () => {
  const { store } = await opened();
  const commits: Commit[] = [];
  store.onCommit((commit) => commits.push(commit));
  const results = await Promise.all(Array.from({ length: 500 }, (_, n) => put(store, `s${n}.example.org`)));
  expect(commits.length).toBeLessThan(10);
  expect(commits.flatMap(({ entries }) => entries).map(({ rev }) => rev)).toEqual(
    results.map(({ revision }) => revision),
  );
  expect(new Set(results.map(({ revision }) => revision)).size).toBe(500);
  expect(store.total('Site')).toBe(500);
});

it('[2.3] a stale If-Match is judged inside the batch: of two with the same, one wins', async () => {
  const { store } = await opened();
  const { revision } = await put(store, 'a.example.org');
  const [first, second] = await Promise.allSettled([
    put(store, 'a.example.org', { maxBody: '1m' }, revision),
    put(store, 'a.example.org', { maxBody: '2m' }, revision),
  ]);
  expect(first?.status).toBe('fulfilled');
  expect(second).toMatchObject({ status: 'rejected', reason: { code: 'stale-revision' } });
  expect((await store.get('Site', 'a.example.org'))?.spec.maxBody).toBe('1m');
  expect(await store.journal({ since: 0, limit: 10 })).toHaveLength(2);
});

it('[2.3] of two that create the same at once with revision zero, one wins', async () => {
  const { store } = await opened();
  const both = await Promise.allSettled([
    put(store, 'a.example.org', {}, 0),
    put(store, 'a.example.org', { maxBody: '1m' }, 0),
  ]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
});

it('[2.3] of two in one batch that claim one domain, the second is refused, and others go on', async () => {
  const { store } = await opened();
  const results = await Promise.allSettled([
    put(store, 'a.example.org', { aliases: ['www.example.org'] }),
    put(store, 'b.example.org', { aliases: ['www.example.org'] }),
    put(store, 'c.example.org'),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[1]).toMatchObject({
    reason: { code: 'duplicate-domain', problems: [{ path: 'documents/0/spec/aliases/0' }] },
  });
  expect([...store.view().Site.keys()].sort()).toEqual(['a.example.org', 'c.example.org']);
  expect((await store.verify()).problems).toEqual([]);
});

it('[2.3] a fault in the middle of a batch leaves disk and memory as they were, and says so to all', async () => {
  const { store, file } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics(), site('kept.example.org')) });
  const before = await contents(store);
  await tamper(
    file,
    `CREATE TRIGGER planted BEFORE INSERT ON scope_log WHEN NEW.name = 'b.example.org'
     BEGIN SELECT RAISE(ABORT, 'planted'); END`,
  );
  const results = await Promise.allSettled(
    ['a', 'b', 'c'].map((name) =>
      put(store, `${name}.example.org`, { aliases: [`www.${name}.example.org`] }),
    ),
  );
  for (const result of results) expect(result).toMatchObject({ reason: { code: 'store-failed' } });
  expect(await contents(store)).toEqual(before);
  await tamper(file, 'DROP TRIGGER planted');
  expect((await put(store, 'b.example.org', { aliases: ['www.a.example.org'] })).revision).toBe(
    before.meta.revision + 1,
  );
  expect((await store.verify()).problems).toEqual([]);
});

it('[2 bad input] the store is unchanged after a refusal, which names every problem at once', async () => {
  const { store } = await opened();
  await store.write({
    actor: 'test',
    edits: puts(...basics(), site('a.example.org', { aliases: ['www.example.org'] })),
  });
  const before = await contents(store);
  const refused = await refusal(
    store.write({
      actor: 'test',
      edits: [
        ...puts(
          site('b.example.org', { aliases: ['www.example.org', 'a.example.org'] }),
          site('fine.example.org'),
        ),
        deletion('Site', 'nowhere.example.org'),
        { ...deletion('Node', 'web1'), ifMatch: 1 },
      ],
    }),
  );
  expect(refused.problems.map(({ code }) => code).sort()).toEqual([
    'duplicate-domain',
    'duplicate-domain',
    'empty-pool',
    'not-found',
    'stale-revision',
  ]);
  expect(await contents(store)).toEqual(before);
});

it('[2.3] a dry run judges as a write does and leaves nothing', async () => {
  const { store } = await opened();
  const before = await contents(store);
  const request = { actor: 'test', edits: puts(site('a.example.org'), site('b.example.org')) };
  const judged = await store.judge(request);
  expect(judged.outcomes.map(({ op }) => op)).toEqual(['create', 'create']);
  expect(await contents(store)).toEqual(before);
  expect(await store.write(request)).toEqual(judged);
  expect(
    (
      await refusal(
        store.judge({ actor: 'test', edits: puts(site('c.example.org', { aliases: ['a.example.org'] })) }),
      )
    ).code,
  ).toBe('duplicate-domain');
});

it('[2.3] the same content again is no change and makes no entry', async () => {
  const { store } = await opened();
  await put(store, 'a.example.org');
  const again = await put(store, 'a.example.org', { aliases: [], maxBody: '32m' });
  expect(again.outcomes).toMatchObject([{ op: 'unchanged', revision: 1 }]);
  expect(store.meta().revision).toBe(1);
});

it('[2.3] sites may exchange a name in one request', async () => {
  const { store } = await opened();
  await store.write({
    actor: 'test',
    edits: puts(site('a.example.org', { aliases: ['x.example.org'] }), site('b.example.org')),
  });
  await store.write({
    actor: 'test',
    edits: puts(site('b.example.org', { aliases: ['x.example.org'] }), site('a.example.org')),
  });
  expect(store.view().domains.get('x.example.org')).toBe('b.example.org');
});

it('[2.8] prune deletes what is not in the request, of the named kinds alone', async () => {
  const { store } = await opened();
  await store.write({
    actor: 'test',
    edits: puts(...basics(), site('a.example.org'), site('b.example.org')),
  });
  const { outcomes } = await store.write({
    actor: 'test',
    edits: puts(site('b.example.org')),
    prune: ['Site'],
  });
  expect(outcomes.map(({ name, op }) => `${name} ${op}`)).toEqual([
    'b.example.org unchanged',
    'a.example.org delete',
  ]);
  expect(store.total('Node')).toBe(1);
});

it('[2.3] refuses more than may wait as busy, and carries out all that it accepted', async () => {
  const { store } = await opened({ mostWaiting: 10 });
  const results = await Promise.allSettled(
    Array.from({ length: 40 }, (_, n) => put(store, `s${n}.example.org`)),
  );
  const busy = results.filter((result) => result.status === 'rejected');
  expect(busy.length).toBeGreaterThan(0);
  for (const result of busy) expect(result).toMatchObject({ reason: { code: 'busy' } });
  expect(store.total('Site')).toBe(40 - busy.length);
});

it('[2.3] a listener that throws harms neither the writer nor other listeners', async () => {
  const { store } = await opened();
  let heard = 0;
  store.onCommit(() => {
    throw new Error('planted');
  });
  const undo = store.onCommit(() => {
    heard += 1;
  });
  await put(store, 'a.example.org');
  undo();
  await put(store, 'b.example.org');
  expect(heard).toBe(1);
});

it('[2.4] an invite is changed by the write that it pays for, or by none, and not by one that is refused', async () => {
  const { store, file } = await opened();
  const invite = {
    ...{ id: 'one', hash: 'h', expires: '2999-01-01T00:00:00Z', roles: ['web'], parameters: {} },
    ...{ by: 'op', made: '2026-11-21T09:00:00Z', approve: false },
  };
  await store.invites.add(invite);
  const change = (now: Invite): Invite => {
    if (now.name !== undefined) throw new EvenkeelError('invite-invalid', `${now.name} has it`);
    return { ...now, name: 'web1' };
  };
  const join = (name: string, spec: object = {}) =>
    store.write({ actor: name, edits: puts(node(name, spec)), invite: { id: 'one', change } });
  await expect(join('bad', { parameters: { unknown: 1 } })).rejects.toMatchObject({
    code: 'invalid-document',
  });
  expect(store.invites.get('one')).toEqual(invite);
  const both = await Promise.allSettled([join('web1'), join('web2')]);
  expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect(both[1]).toMatchObject({ reason: { code: 'invite-invalid', message: 'web1 has it' } });
  const revoked = { by: 'op', at: '2026-11-21T09:00:00Z', refused: false };
  const revoke = { id: 'one', change: (now: Invite) => ({ ...now, revoked }) };
  const { revision } = store.meta();
  await store.write({ actor: 'op', edits: [], invite: revoke });
  expect(store.meta().revision).toBe(revision);
  await store.close();
  const again = await opened({ file });
  expect(again.store.invites.list()).toEqual([{ ...invite, name: 'web1', revoked }]);
  expect([...again.store.view().Node.keys()]).toEqual(['web1']);
  expect((await again.store.verify()).problems).toEqual([]);
});

it('[2.3] a judgement is of one moment, whatever is committed while it is made', async () => {
  const { store } = await opened();
  const [first, last] = [site('a.example.org'), site('z.example.org')];
  const fillers = Array.from({ length: 3000 }, (_, at) => site(`s${at}.example.org`));
  let over = false;
  const turning = async () => {
    while (!over) {
      await store.write({ actor: 'test', edits: puts(first, last) });
      await store.write({
        actor: 'test',
        edits: [first, last].map(({ kind, name }) => deletion(kind, name)),
      });
    }
  };
  const turned = turning();
  try {
    for (let tries = 0; tries < 5; tries += 1) {
      const { outcomes } = await store.judge({ actor: 'test', edits: puts(first, ...fillers, last) });
      expect(outcomes.at(-1)?.op).toBe(outcomes[0]?.op);
    }
  } finally {
    over = true;
    await turned;
  }
  expect(store.view().Site.has('s0.example.org')).toBe(false);
});

it('[2.3] what it was tried on is judged inside the batch: another kind may move on, that one may not', async () => {
  const { store } = await opened();
  await store.write({ actor: 'test', edits: puts(...basics()) });
  const { revision } = store.meta();
  const tried = (name: string, kind: 'Node' | 'Template') =>
    store.write({ actor: 'test', edits: puts(site(name)), tried: { [kind]: revision } });
  const results = await Promise.allSettled([
    store.write({ actor: 'test', edits: puts(node('web2')) }),
    tried('a.example.org', 'Template'),
    tried('b.example.org', 'Node'),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected']);
  expect(results[2]).toMatchObject({ reason: { code: 'overtaken', problems: [{ value: 'Node' }] } });
  expect([...store.view().Site.keys()]).toEqual(['a.example.org']);
});
