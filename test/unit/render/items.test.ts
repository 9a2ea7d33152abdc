/** Items: which inputs take a resource, how they fall into shards, and what is counted of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createUnitItems, itemOf, shardOf } from '../../../common/render/items.ts';
import { declared, node, site } from './declared.ts';

const inputs = { sites: { kind: 'Site' as const }, webs: { kind: 'Node' as const, role: 'web' } };
const groupsOf = (items: ReturnType<typeof createUnitItems>, shards?: number) =>
  items
    .input('sites')
    .groups(shards)
    .map(({ label, items: members }) => [label, members.map(({ name }) => name)]);

describe('[2.6] the items of a unit', () => {
  it('go to the inputs of their kind and role, and leave when they no longer fit', () => {
    const items = createUnitItems(inputs);
    expect(items.put(itemOf(node()))).toBe(true);
    expect(
      items.put(itemOf(declared('Storage', 's', { server: '192.0.2.1', export: '/e', mountpoint: '/m' }))),
    ).toBe(false);
    expect(items.input('webs').context().count).toBe(1);
    expect(items.put(itemOf(node({ roles: ['balancer'] })))).toBe(false);
    expect(items.input('webs').context().count).toBe(0);
  });

  it('fall into the same shard whatever else there is, and into all shards about evenly', () => {
    const names = Array.from({ length: 2000 }, (_, at) => `site${at}.example`);
    const counts = new Map<number, number>();
    for (const name of names) counts.set(shardOf(name, 16), (counts.get(shardOf(name, 16)) ?? 0) + 1);
    expect(counts.size).toBe(16);
    for (const count of counts.values()) expect(count).toBeGreaterThan(80);
    const alone = groupsOf(createUnitItems(inputs, [itemOf(site('site7.example'))]), 16);
    const together = groupsOf(
      createUnitItems(
        inputs,
        names.map((name) => itemOf(site(name))),
      ),
      16,
    );
    expect(together.find(([, members]) => members?.includes('site7.example'))?.[0]).toBe(alone[0]?.[0]);
  });

  it('change the digest of their own shard and of no other', () => {
    const items = createUnitItems(
      inputs,
      ['a.example', 'b.example', 'c.example', 'd.example'].map((name) => itemOf(site(name))),
    );
    const digests = () =>
      new Map(
        items
          .input('sites')
          .groups(4)
          .map(({ label, digest }) => [label, digest]),
      );
    const before = digests();
    items.put(itemOf(site('b.example', { maxBody: '1m' })));
    const changed = [...digests()].filter(([label, digest]) => before.get(label) !== digest);
    expect(changed.map(([label]) => label)).toEqual([String(shardOf('b.example', 4))]);
  });

  it('are one group each, in the order of their names, where there are no shards', () => {
    const items = createUnitItems(
      inputs,
      ['b.example', 'a.example'].map((name) => itemOf(site(name))),
    );
    expect(groupsOf(items)).toEqual([
      ['a.example', ['a.example']],
      ['b.example', ['b.example']],
    ]);
    items.delete('Site', 'a.example');
    expect(groupsOf(items)).toEqual([['b.example', ['b.example']]]);
  });

  it('are counted as they come and go, as if counted from scratch', () => {
    const name = fc.constantFrom('a.example', 'bb.example', 'ccc.example');
    const spec = fc.record({
      aliases: fc.subarray(['www.long-alias.example', '*.d.example']),
      defaultServer: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.option(spec))), (changes) => {
        const items = createUnitItems(inputs);
        const now = new Map<string, ReturnType<typeof site>>();
        for (const [of, change] of changes) {
          if (change) now.set(of, site(of, change));
          else now.delete(of);
          if (change) items.put(itemOf(site(of, change)));
          else items.delete('Site', of);
        }
        const { items: seen, ...counted } = items.input('sites').context();
        const names = [...now.values()].flatMap((one) => [one.name, ...one.spec.aliases]);
        expect(counted.names).toEqual({
          count: names.length,
          longest: Math.max(0, ...names.map(({ length }) => length)),
        });
        expect(counted.count).toBe(now.size);
        expect(counted.having.defaultServer ?? 0).toBe(
          [...now.values()].filter((one) => one.spec.defaultServer).length,
        );
        expect(seen.map((one) => one.name)).toEqual([...now.keys()].sort());
      }),
    );
  });

  it("show templates a node's structure, and never the operator's word on it nor weights", () => {
    const words = {
      weight: 7,
      mode: 'audit',
      hold: { reason: 'r', owner: 'o' },
      drain: { reason: 'r', owner: 'o' },
      maintenance: { reason: 'r', owner: 'o' },
    };
    const seen = (one: ReturnType<typeof node>) =>
      createUnitItems(inputs, [itemOf(one)])
        .input('webs')
        .context().items;
    expect(seen(node(words))).toEqual(seen(node()));
  });
});
