/** A storage lies at a server that is there, and in nobody else's folders. */
import { describe, expect, it } from 'vitest';
import type { Edit } from '../../../common/rules.ts';
import { admit } from '../../../manager/desired/admit.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { basics, declare, node, puts } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const found = (existing: Resource[], ...edits: Edit[]) =>
  admit(proposed([...basics(), ...existing], edits)).map(
    ({ code, path, value }) => `${code} ${path} ${value}`,
  );
const storage = (name: string, spec: object = {}) =>
  declare('Storage', name, {
    server: '10.0.0.40',
    export: `/vol/${name}`,
    mountpoint: `/srv/${name}`,
    ...spec,
  });
const nas = node('nas', { address: '10.0.0.41', roles: ['storage'] });
const at = (name: string) => storage('home', { server: { node: name } });

describe('[3.7] the server of a storage', () => {
  it('that is a node of this cluster has to be one, with the role storage', () => {
    const expected = (name: string) => [`dangling-reference documents/0/spec/server/node ${name}`];
    expect(found([], ...puts(at('nobody')))).toEqual(expected('nobody'));
    expect(found([], ...puts(at('web1')))).toEqual(expected('web1'));
    expect(found([nas], ...puts(at('nas')))).toEqual([]);
    expect(found([], ...puts(at('nas'), nas))).toEqual([]);
    const [problem] = admit(proposed(basics(), puts(at('web1'))));
    expect(problem?.fix).toBe('give the node web1 the role storage in the same request');
  });

  it('is named and not given by its address, by which nobody would fence it in a move; what stood so stays', () => {
    const byAddress = storage('mail', { server: '10.0.0.41' });
    expect(found([nas], ...puts(byAddress))).toEqual(['storage-conflict documents/0/spec/server 10.0.0.41']);
    const [problem] = admit(proposed([...basics(), nas], puts(byAddress)));
    expect(problem?.fix).toBe('write server: {node: nas}');
    const changed = storage('mail', { server: '10.0.0.41', quotas: { ann: { soft: '1g', hard: '2g' } } });
    expect(found([nas, byAddress], ...puts(changed))).toEqual([]);
  });

  it('may be gone since: a dead box is removed, and what stood is changed as before', () => {
    const quotas = { ann: { soft: '1g', hard: '2g' } };
    expect(found([at('nas')], ...puts(storage('home', { server: { node: 'nas' }, quotas })))).toEqual([]);
    const from = { server: { node: 'nas' }, export: '/vol/home' };
    const to = { server: '10.0.0.40', export: '/vol/new' };
    const move = { id: 'm', phase: 'switch', since: '2026-01-01T00:00:00Z', by: 'web1', from, to };
    expect(found([storage('home', { ...to, move })], ...puts(at('nas')))).toEqual([]);
  });
});

describe('[3.7] a storage in the folders of another one is refused', () => {
  const home = storage('home', { mountpoint: '/chroot/home', link: '/home' });
  const conflict = (field: string, value: string) => [`storage-conflict documents/0/spec/${field} ${value}`];

  it.each([
    ['at its mountpoint', { mountpoint: '/chroot/home' }, conflict('mountpoint', '/chroot/home')],
    ['below its mountpoint', { mountpoint: '/chroot/home/ann' }, conflict('mountpoint', '/chroot/home/ann')],
    ['above its mountpoint', { mountpoint: '/chroot' }, conflict('mountpoint', '/chroot')],
    ['below its link', { mountpoint: '/home/ann' }, conflict('mountpoint', '/home/ann')],
    ['with a link below its mountpoint', { link: '/chroot/home/x' }, conflict('link', '/chroot/home/x')],
    ['with the same link', { link: '/home' }, conflict('link', '/home')],
    ['by its export', { export: '/vol/home' }, conflict('export', '/vol/home')],
    ['within its export', { export: '/vol/home/ann' }, conflict('export', '/vol/home/ann')],
    ['around its export', { export: '/vol' }, conflict('export', '/vol')],
  ])('%s', (_, spec, expected) => {
    expect(found([home], ...puts(storage('mail', spec)))).toEqual(expected);
  });

  it('and so is one whose own link lies within it', () => {
    expect(found([], ...puts(storage('mail', { link: '/srv/mail/x' })))).toEqual(
      conflict('link', '/srv/mail/x'),
    );
  });

  it('but not one beside it, nor the same folder of another server, and two at once are told once', () => {
    expect(
      found([home], ...puts(storage('mail', { mountpoint: '/chroot/home2', export: '/vol/home2' }))),
    ).toEqual([]);
    expect(found([home], ...puts(storage('mail', { server: '10.0.0.42', export: '/vol/home' })))).toEqual([]);
    const twin = { mountpoint: '/srv/one' };
    expect(found([], ...puts(storage('a', twin), storage('b', twin)))).toEqual([
      'storage-conflict documents/1/spec/mountpoint /srv/one',
    ]);
  });

  it('and what stood so before is nobody’s fault', () => {
    const inner = storage('mail', { mountpoint: '/chroot/home/mail' });
    const quotas = { ann: { soft: '1g', hard: '2g' } };
    expect(found([home, inner], ...puts({ ...inner, spec: { ...inner.spec, quotas } }))).toEqual([]);
  });
});
