/** The way back of a setup: through its runs, past what was killed, and only as far as its own word reaches. */
import { describe, expect, it } from 'vitest';
import { openInvites } from '../../../cli/setup/boxes.ts';
import type { Planned } from '../../../cli/setup/documents.ts';
import { type Deed, type Kept, withoutAnswers } from '../../../cli/setup/kept.ts';
import { settledBy } from '../../../cli/setup/settled.ts';
import { answeredIn, newWords } from '../../../cli/setup/stand.ts';
import { chainsOf, type Way, wayBack } from '../../../cli/setup/way-back.ts';
import type { InviteView } from '../../../protocol/joining.ts';
import { parseResource } from '../../../protocol/resource.ts';
import type { JournalEntry } from '../../../protocol/views.ts';

type Document = Planned['document'];

const node = (roles: string[], more: object = {}): Document => ({
  ...{ kind: 'Node', name: 'web1' },
  spec: { address: '10.0.0.11', roles, ...more },
});
/** As the manager has it, with all that is meant where the document is silent. */
const stored = (document: Document): object => {
  const parsed = parseResource(document);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.resource.spec;
};
const [a, b, c, d] = [node(['mail']), node(['web']), node(['ftp']), node(['web', 'mail'])];

const SETUP = 'token:admin';
/** Null for a deletion. */
const entry = (rev: number, document: Document | null, more: Partial<JournalEntry> = {}): JournalEntry => ({
  ...{ rev, epoch: 1, at: '2026-11-22T00:00:00.000Z', actor: SETUP, kind: 'Node', name: 'web1' },
  ...{ digest: '', chain: '' },
  ...(document === null
    ? { op: 'delete', did: 'delete', body: null }
    : { op: 'put', did: 'update', body: JSON.stringify(stored(document)) }),
  ...more,
});
const deed = (
  document: Document,
  before: Document | null,
  revisions: [was: number, made?: number],
): Deed => ({
  ...{ document, before: before && stored(before), was: revisions[0] },
  ...(revisions[1] === undefined ? {} : { made: revisions[1] }),
});

const held = node(['web'], { hold: { reason: 'disk', owner: 'op' } });
/** Its deeds, what the journal has of it from there, and what stands there by that. */
const ways: [string, [Deed, ...Deed[]], JournalEntry[], Way][] = [
  ['of one run', [deed(b, a, [1, 2])], [entry(2, b)], { to: stored(a), isOthers: false }],
  ['of what it has made', [deed(b, null, [0, 2])], [entry(2, b)], { to: null, isOthers: false }],
  [
    'of two runs, to before the first',
    [deed(b, a, [1, 2]), deed(d, b, [2, 3])],
    [entry(2, b), entry(3, d)],
    { to: stored(a), isOthers: false },
  ],
  [
    'to what others said between two runs',
    [deed(b, a, [1, 2]), deed(d, c, [3, 4])],
    [entry(2, b), entry(3, c), entry(4, d)],
    { to: stored(c), isOthers: true },
  ],
  [
    'to what others said between two runs in the same words, after they had deleted it',
    [deed(b, a, [1, 2]), deed(d, b, [4, 5])],
    [entry(2, b), entry(3, null), entry(4, b), entry(5, d)],
    { to: stored(b), isOthers: true },
  ],
  [
    'there and back again',
    [deed(b, a, [1, 2]), deed(d, b, [2, 3]), deed(b, d, [3, 4])],
    [entry(2, b), entry(3, d), entry(4, b)],
    { to: stored(a), isOthers: false },
  ],
  [
    'past what the box or a verb has added to it',
    [deed(b, a, [1, 2])],
    [entry(2, b), entry(3, held)],
    { to: stored(a), isOthers: false },
  ],
  ['not where others have changed it since', [deed(b, a, [1, 2])], [entry(2, b), entry(3, c)], 'changed'],
  ['not where others have deleted it since', [deed(b, a, [1, 2])], [entry(2, b), entry(3, null)], 'changed'],
  [
    'not where others have made it again in the same words',
    [deed(b, null, [0, 2])],
    [entry(2, b), entry(3, null), entry(4, b)],
    'changed',
  ],
  [
    'not where the journal has lost what was said meanwhile',
    [deed(b, a, [1, 2])],
    [entry(2, b), entry(3, b, { body: null }), entry(4, b)],
    'changed',
  ],
  ['where it stands already', [deed(b, a, [1, 2])], [entry(2, b), entry(3, a)], 'there'],
  ['where what it has made is gone', [deed(b, null, [0, 2])], [entry(2, b), entry(3, null)], 'there'],
  [
    'where others’ word stands already',
    [deed(b, a, [1, 2]), deed(d, c, [3, 4])],
    [entry(2, b), entry(3, c), entry(4, d), entry(5, c)],
    'there',
  ],
];

describe('[4.2] the way back of one resource', () => {
  const standing = (entries: JournalEntry[]) => {
    const last = entries.at(-1);
    return last?.body
      ? { spec: JSON.parse(last.body) as object, revision: last.rev }
      : { spec: null, revision: 0 };
  };
  it.each(ways)('%s', (_, deeds, entries, expected) => {
    expect(wayBack(deeds, standing(entries), { entries, force: false })).toEqual(expected);
  });

  it('by force leads past what others have changed since, to what was there before', () => {
    const now = (entries: JournalEntry[]) => ({ entries, force: true, now: standing(entries) });
    const one = now([entry(2, b), entry(3, c)]);
    expect(wayBack([deed(b, a, [1, 2])], one.now, one)).toEqual({ to: stored(a), isOthers: false });
    const two = now([entry(2, b), entry(3, d), entry(4, c)]);
    expect(wayBack([deed(b, a, [1, 2]), deed(d, b, [2, 3])], two.now, two)).toEqual({
      ...{ to: stored(a), isOthers: false },
    });
  });

  it('is that of all its runs, whatever else they declared', () => {
    const other: Document = { ...node(['storage']), name: 'nas' };
    const deeds = [deed(b, null, [0, 1]), deed(other, null, [0, 2]), deed(d, b, [1, 3])];
    const names = chainsOf(deeds).map((chain) => chain.map(({ document }) => document.name));
    expect(names).toEqual([['nas'], ['web1', 'web1']]);
  });
});

const began = '2026-11-22T00:00:00.000Z';
const kept = (more: Partial<Kept>): Kept => ({ began, answers: {}, deeds: [], invites: [], ...more });

describe('[4.2] a setup that was killed', () => {
  const answers = { approveJoins: false };
  const declaring = { from: 1, since: 5, by: SETUP, answers };
  const killed = kept({ answers, deeds: [deed(b, a, [1, 2]), deed(d, b, [2])] });
  const journal = (...entries: JournalEntry[]) => new Map([['Node/web1', entries]]);

  it('once all was declared: the answers are declared, and what stood before a finished one is its own no more', () => {
    const made = deed(d, b, [2, 6]);
    const found = settledBy(killed, declaring, journal(entry(6, d), entry(7, c, { actor: 'token:other' })));
    expect(found).toMatchObject({ answers: {}, declared: answers, deeds: [deed(b, a, [1, 2]), made] });
    const next = settledBy({ ...killed, finished: began }, declaring, journal(entry(6, d)));
    expect(next).toMatchObject({ answers: {}, declared: answers, deeds: [made] });
    expect(next.finished).toBeUndefined();
  });

  const never: [string, JournalEntry[]][] = [
    ['nothing', []],
    ['the same before it', [entry(4, d)]],
    ['the same by somebody else', [entry(6, d, { actor: 'token:other' })]],
    ['something else first', [entry(6, c), entry(7, d)]],
  ];
  it.each(never)('before anything was declared, where the journal has %s: the answers wait', (_, entries) => {
    const next = settledBy({ ...killed, finished: began }, declaring, journal(...entries));
    expect(next).toMatchObject({ answers, deeds: [deed(b, a, [1, 2])], finished: began });
    expect(next).not.toHaveProperty('declaring');
  });

  it('before anything was declared, where others have since said one part of it: the answers wait', () => {
    const nas: Document = { ...node(['storage']), name: 'nas' };
    const both = { ...killed, deeds: [...killed.deeds, deed(nas, null, [0])] };
    const part = settledBy(both, declaring, journal(entry(6, d)));
    expect(part.deeds).toEqual([deed(b, a, [1, 2])]);
    const at = '2026-11-22T00:00:01.000Z';
    const other = entry(7, nas, { name: 'nas', at });
    const apart = settledBy(both, declaring, new Map([...journal(entry(6, d)), ['Node/nas', [other]]]));
    expect(apart.deeds).toEqual([deed(b, a, [1, 2])]);
  });

  it('while it invited: only what was written down is its own; another of the name stays and is named', () => {
    const invite = (id: string, name: string, state: InviteView['state'] = 'open') =>
      ({ id, name, state, by: SETUP, made: began }) as InviteView;
    const items = [invite('1', 'web1'), invite('2', 'lb1'), invite('3', 'web1'), invite('4', 'web1', 'used')];
    const { own, unclear } = openInvites(
      kept({ invites: ['2', '4'], inviting: [{ name: 'web1', known: ['1'] }] }),
      items,
    );
    expect(own).toEqual([{ id: '2', name: 'lb1' }]);
    expect(unclear).toEqual([
      expect.stringMatching(/invitation 3 of web1, made by token:admin .* uninvite 3$/),
    ]);
  });
});

describe('[4.2] the answers of a setup', () => {
  const [one, two] = ['web1', 'web2'].map((name) => ({
    ...{ name, address: '10.0.0.11', roles: ['web'], parameters: {} },
  })) as [NonNullable<Kept['answers']['nodes']>[number], NonNullable<Kept['answers']['nodes']>[number]];

  it('that are as they were proposed are no new word: what is declared by now counts', () => {
    const proposed = { address: '10.0.0.1', nodes: [one], approveJoins: false };
    const words = newWords({ address: '10.0.0.1', nodes: [one, two], approveJoins: true }, proposed);
    expect(words).toMatchObject({ answers: { nodes: [one, two], approveJoins: true }, looked: ['address'] });
    const now = { address: '10.0.0.9', nodes: [{ ...one, roles: ['mail'] }], approveJoins: false };
    expect(answeredIn(kept(words), now)).toEqual({
      ...{ address: '10.0.0.9', nodes: [{ ...one, roles: ['mail'] }, two], approveJoins: true },
    });
    expect(answeredIn(kept(words), {}).nodes).toEqual([two]);
  });

  it('are dropped at a no; what was declared and invited is kept', () => {
    const looked: Partial<Kept> = { answers: { approveJoins: true }, looked: ['address'], proposed: {} };
    expect(withoutAnswers(kept(looked))).toBeUndefined();
    expect(withoutAnswers(kept({ ...looked, invites: ['1'] }))).toEqual(kept({ invites: ['1'] }));
  });
});
