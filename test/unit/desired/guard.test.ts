/** The guard: large removals and emptied pools are refused, with what was counted. */
import { expect, it } from 'vitest';
import type { Edit } from '../../../common/rules.ts';
import { guard } from '../../../manager/desired/guard.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { basics, deletion, httpCheck, node, policy, puts, service, site } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const NOW = Date.UTC(2026, 10, 21);
const guarded = (existing: Resource[], ...edits: Edit[]) => guard(proposed(existing, edits), NOW);
const sites = (count: number) => Array.from({ length: count }, (_, n) => site(`s${n}.example.org`));
const without = (existing: Resource[], count: number) =>
  guarded(existing, ...existing.slice(0, count).map(({ kind, name }) => deletion(kind, name)));

it('[2.3] refuses to remove more than a fifth and more than five of a kind, and says what it counted', () => {
  expect(without(sites(100), 20)).toEqual([]);
  expect(without(sites(5), 5)).toEqual([]);
  expect(without(sites(6), 6)).toHaveLength(1);
  expect(without(sites(100), 21)).toMatchObject([
    { code: 'too-many-removals', message: expect.stringContaining('21 of 100 Site') },
  ]);
});

it('[2.3] a policy that no longer takes a kind would remove all of it from its nodes, and counts as that', () => {
  const takes = (inputs: object) => policy('web', { inputs, checks: [httpCheck] });
  const existing = [...basics(), ...sites(6)];
  expect(guarded(existing, ...puts(takes({})))).toMatchObject([
    { code: 'too-many-removals', message: expect.stringContaining('all 6 Site') },
  ]);
  expect(guarded([...basics(), ...sites(5)], ...puts(takes({})))).toEqual([]);
  expect(
    guarded(existing, ...puts(policy('other', { inputs: { sites: { kind: 'Site' } } })), ...puts(takes({}))),
  ).toEqual([]);
});

const said = { reason: 'work', owner: 'ops' };

it('[2.7] refuses to leave a virtual service without any eligible node', () => {
  const empties = (...edits: Edit[]) =>
    guarded(basics(), ...edits).map(({ code, value }) => `${code} ${value}`);
  expect(empties(deletion('Node', 'web1'))).toEqual(['empty-pool web']);
  expect(empties(...puts(node('web1', { roles: [] })))).toEqual(['empty-pool web']);
  expect(empties(...puts(node('web1', { drain: said })))).toEqual(['empty-pool web']);
  expect(empties(...puts(node('web1', { maintenance: said })))).toEqual(['empty-pool web']);
  expect(empties(...puts(node('web1', { maintenance: { ...said, until: '2026-11-20T00:00:00Z' } })))).toEqual(
    [],
  );
  expect(empties(...puts(node('web1', { hold: said })))).toEqual([]);
  expect(empties(...puts(service('web', { weights: { web1: 0 } })))).toEqual(['empty-pool web']);
  expect(empties(deletion('Node', 'web1'), ...puts(node('web2')))).toEqual([]);
});

it('[2.7] refuses to end a virtual service that somebody serves', () => {
  const refused = (...edits: Edit[]) => guarded(basics(), ...edits).map(({ message }) => message);
  expect(refused(deletion('VirtualService', 'web'))).toEqual([
    expect.stringContaining('would end virtual service web'),
  ]);
  expect(refused(deletion('Node', 'web1'), deletion('VirtualService', 'web'))).toHaveLength(1);
});

it('[2.7] a virtual service may be declared before its nodes', () => {
  const [cluster, template, web, , service] = basics() as [Resource, Resource, Resource, Resource, Resource];
  expect(guarded([cluster, template, web], ...puts(service))).toEqual([]);
});
