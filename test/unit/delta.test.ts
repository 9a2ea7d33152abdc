/** Delta, snapshot or refusal: the table of decisions, by examples and by properties. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideChanges, decideHead, type Stand, shrinksTooMuch } from '../../common/delta.ts';
import { EMPTY_DIGEST, sha256 } from '../../common/digest.ts';
import type { Change, Changes, Head } from '../../protocol/messages.ts';

const ours = 'cluster-1';
const some: Change[] = [{ op: 'delete', kind: 'Site', name: 'example.org' }];
const at = '2026-11-21T09:00:00Z';

const stand = (part: Partial<Stand> = {}): Stand => ({
  epoch: 2,
  rev: 100,
  count: 5,
  digest: sha256('a'),
  ...part,
});
const head = (part: Partial<Head> = {}): Head => ({
  type: 'head',
  cluster: ours,
  scope: 'role/web',
  ...stand({ rev: 101, digest: sha256('b') }),
  since: 100,
  touches: {},
  changes: some,
  at,
  ...part,
});
const answer = (part: Partial<Changes> = {}): Changes => ({
  type: 'changes',
  cluster: ours,
  scope: 'role/web',
  ...stand({ rev: 101, digest: sha256('b') }),
  since: 100,
  changes: some,
  ...part,
});

describe('a head', () => {
  it.each<[string, Partial<Head>, object]>([
    ['of another cluster is refused', { cluster: 'other' }, { act: 'refuse', code: 'manager-went-back' }],
    ['of a lower epoch is refused', { epoch: 1, rev: 900 }, { act: 'refuse', code: 'manager-went-back' }],
    ['of a lower revision is refused', { rev: 99 }, { act: 'refuse', code: 'manager-went-back' }],
    ['at the own stand is ignored', { rev: 100, digest: sha256('a') }, { act: 'ignore' }],
    [
      'of the own revision and another digest asks for a snapshot',
      { rev: 100 },
      { act: 'pull', epoch: 0, since: 0 },
    ],
    [
      'of a higher revision with the own digest dials nothing',
      { rev: 150, digest: sha256('a'), since: 120 },
      { act: 'apply', changes: [] },
    ],
    [
      'of a higher epoch with the own digest dials nothing',
      { epoch: 3, digest: sha256('a') },
      { act: 'apply', changes: [] },
    ],
    ['that begins at the own revision is applied', {}, { act: 'apply', changes: some }],
    [
      'that begins at the own revision but carries nothing is pulled',
      { changes: undefined },
      { act: 'pull', epoch: 2, since: 100 },
    ],
    ['that begins elsewhere is pulled', { rev: 103, since: 102 }, { act: 'pull', epoch: 2, since: 100 }],
    ['of a higher epoch is pulled, whatever it carries', { epoch: 3 }, { act: 'pull', epoch: 2, since: 100 }],
  ])('[3] %s', (_title, part, decision) => {
    const { changes, ...rest } = head(part);
    const shown = changes === undefined ? rest : { ...rest, changes };
    expect(decideHead(ours, stand(), shown)).toMatchObject(decision);
  });

  it('[3] finds a node that has nothing: applied from the first revision, ignored when empty, else pulled', () => {
    expect(decideHead(ours, null, head({ since: 0 }))).toEqual({ act: 'apply', changes: some });
    const empty = head({ count: 0, digest: EMPTY_DIGEST });
    expect(decideHead(ours, null, empty)).toEqual({ act: 'apply', changes: [] });
    expect(decideHead(ours, null, head())).toEqual({ act: 'pull', epoch: 2, since: 0 });
  });
});

const number = fc.integer({ min: 0, max: 6 });
const digest = fc.constantFrom(sha256('a'), sha256('b'));
const anyStand = fc.record({ epoch: number, rev: number, count: number, digest });
const anyHead = fc
  .record({ stand: anyStand, since: number, inline: fc.boolean(), cluster: fc.constantFrom(ours, 'other') })
  .map(({ stand: shown, since, inline, cluster }) => {
    const made = head({ ...shown, since, cluster });
    if (!inline) delete made.changes;
    return made;
  });
const isOlder = (own: Stand, shown: { epoch: number; rev: number }) =>
  shown.epoch < own.epoch || (shown.epoch === own.epoch && shown.rev < own.rev);

describe('for all stands and heads', () => {
  it('[3] what is older, or of another cluster, is refused; what is neither is not', () => {
    fc.assert(
      fc.property(anyStand, anyHead, (own, shown) => {
        const refused = decideHead(ours, own, shown).act === 'refuse';
        expect(refused).toBe(shown.cluster !== ours || isOlder(own, shown));
      }),
      { numRuns: 2000 },
    );
  });

  it('[3] changes are applied only from where they begin, and content that is there is never fetched', () => {
    fc.assert(
      fc.property(anyStand, anyHead, (own, shown) => {
        const decision = decideHead(ours, own, shown);
        const same = own.digest === shown.digest && own.count === shown.count;
        if (decision.act === 'apply' && decision.changes.length > 0)
          expect([own.epoch, own.rev]).toEqual([shown.epoch, shown.since]);
        if (decision.act === 'apply' && decision.changes.length === 0) expect(same).toBe(true);
        if (decision.act === 'pull') expect(same).toBe(false);
        if (decision.act === 'ignore') expect(same && own.rev === shown.rev).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it('[3] a head that was applied is ignored when it comes twice, and refuses all before it', () => {
    fc.assert(
      fc.property(anyHead, anyHead, (first, second) => {
        const ofOurs = { ...first, cluster: ours };
        expect(decideHead(ours, ofOurs, ofOurs)).toEqual({ act: 'ignore' });
        if (isOlder(ofOurs, second)) expect(decideHead(ours, ofOurs, second).act).toBe('refuse');
      }),
    );
  });
});

describe('the answer to a pull', () => {
  it.each<[string, Partial<Changes>, object]>([
    ['of another cluster is refused', { cluster: 'other' }, { act: 'refuse' }],
    ['of a lower epoch is refused', { epoch: 1, since: null }, { act: 'refuse' }],
    ['of a lower revision is refused, a snapshot as well', { rev: 99, since: null }, { act: 'refuse' }],
    ['that begins at the own revision is a delta', {}, { act: 'apply', snapshot: false }],
    ['that begins nowhere is a snapshot', { since: null }, { act: 'apply', snapshot: true }],
    ['that begins elsewhere is in doubt', { since: 50 }, { act: 'snapshot' }],
  ])('[3] %s', (_title, part, decision) => {
    expect(decideChanges(ours, stand(), answer(part))).toMatchObject(decision);
  });
});

describe('a snapshot that removes', () => {
  const own = { epoch: 2, rev: 100, count: 5, digest: sha256('a') };
  it.each([
    ['five of five is let through', { had: 5, removed: 5 }, undefined, false],
    ['six of thirty is let through', { had: 30, removed: 6 }, undefined, false],
    ['seven of thirty is refused', { had: 30, removed: 7 }, undefined, true],
    [
      'all is let through for a node at the allowance',
      { had: 30, removed: 30 },
      { epoch: 2, rev: 100 },
      false,
    ],
    [
      'all is let through for a node of an earlier epoch',
      { had: 30, removed: 30 },
      { epoch: 3, rev: 1 },
      false,
    ],
    ['all is refused for a node beyond the allowance', { had: 30, removed: 30 }, { epoch: 2, rev: 99 }, true],
  ])('[3] %s', (_title, site, shrink, refused) => {
    const kinds = { Site: site, Policy: { had: 3, removed: 0 } };
    expect(shrinksTooMuch(own, kinds, shrink)).toEqual(refused ? ['Site'] : []);
  });
});
