/** While a storage moves, nobody says by a document where it is; and without a move nobody makes nodes see another place by accident. */
import { describe, expect, it } from 'vitest';
import { admit } from '../../../manager/desired/admit.ts';
import { guard } from '../../../manager/desired/guard.ts';
import { type MovePhase, movePhases } from '../../../protocol/resources/storage.ts';
import { basics, declare, deletion, policy, puts } from '../store/declared.ts';
import { proposed } from './viewed.ts';

const from = { server: '10.0.0.1', export: '/srv/home' };
const to = { server: '10.0.0.40', export: '/vol/home' };
const home = (spec: object) => declare('Storage', 'home', { mountpoint: '/home', ...spec });
const moving = (phase: MovePhase, place: object = phase === 'switch' ? to : from) =>
  home({ ...place, move: { id: 'm1', phase, since: '2026-01-01T00:00:00Z', by: 'web1', from, to } });
const client = policy('mounts', { inputs: { storages: { kind: 'Storage' } } });

const refused = (
  before: Parameters<typeof home>[0] | ReturnType<typeof home>,
  after: ReturnType<typeof home>,
) =>
  admit(proposed([...basics(), before as ReturnType<typeof home>], puts(after))).map(
    ({ code, path }) => `${code} ${path}`,
  );

describe('[3.7] a storage that is being moved', () => {
  it('keeps its server and export, whatever a document says, and the refusal names the way out', () => {
    for (const phase of movePhases) {
      const elsewhere = moving(phase, { server: '10.0.0.99', export: '/x' });
      expect(refused(moving(phase), elsewhere)).toEqual(['storage-moving documents/0/spec/server']);
    }
    const [problem] = admit(proposed([...basics(), moving('copy')], puts(home(to))));
    expect(problem?.fix).toContain('evenkeel storage cancel home');
  });

  it('cannot be deleted', () => {
    const problems = admit(proposed([...basics(), moving('copy')], [deletion('Storage', 'home')]));
    expect(problems.map(({ code }) => code)).toEqual(['storage-moving']);
  });

  it('goes to its new server only in switch, and back to its old one from everywhere', () => {
    expect(refused(moving('compare'), moving('switch'))).toEqual([]);
    expect(refused(moving('switch'), home(to))).toEqual([]);
    expect(refused(moving('copy'), home(to))).toHaveLength(1);
    for (const phase of movePhases) expect(refused(moving(phase), home(from))).toEqual([]);
  });
});

describe('[3.7] another server for a storage that nodes mount', () => {
  const jump = (...existing: Parameters<typeof puts>) =>
    guard(proposed([...basics(), ...existing, home(from)], puts(home(to))), 0).map(({ code }) => code);

  it('is held up by the guard, which names the verb that copies', () => {
    expect(jump(client)).toEqual(['storage-elsewhere']);
  });

  it('is nobody’s matter while no node mounts it', () => {
    expect(jump()).toEqual([]);
  });
});
