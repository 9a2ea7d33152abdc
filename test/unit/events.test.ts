/** The event stream: two sources merged into one, with ids that resume it anywhere without loss or repetition. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createLog } from '../../common/log.ts';
import { createEvents, type EventFilter, type EventsStore, type Happening } from '../../manager/events.ts';
import type { EventLine, JournalEntry } from '../../protocol/views.ts';
import { until } from '../support/until.ts';

type Entry = Omit<JournalEntry, 'body' | 'did'>;

/** Both sources in memory, as the store keeps them. A step is a second. */
function createSources() {
  const entries: Entry[] = [];
  const lines: EventLine[] = [];
  const onCommit = new Set<(commit: { entries: Entry[] }) => void>();
  const onAppended = new Set<(lines: EventLine[]) => void>();
  let step = 0;
  const at = () => new Date(Date.UTC(2026, 0, 1) + step * 1000).toISOString();
  const store: EventsStore = {
    events: {
      append: (happenings) => {
        step += 1;
        const fresh = happenings.map((one, nr) => ({ ...one, id: String(lines.length + nr + 1), at: at() }));
        lines.push(...fresh);
        for (const listener of onAppended) listener(fresh);
      },
      range: async ({ since, limit, node }) => {
        const own = lines.filter((line) => node === undefined || line.node === node);
        return since === undefined
          ? own.slice(-limit)
          : own.filter(({ id }) => Number(id) > Number(since)).slice(0, limit);
      },
      onAppended: (listener) => {
        onAppended.add(listener);
        return () => onAppended.delete(listener);
      },
    },
    journal: async ({ since, limit }) =>
      since === undefined ? entries.slice(-limit) : entries.filter(({ rev }) => rev > since).slice(0, limit),
    onCommit: (listener) => {
      onCommit.add(listener);
      return () => onCommit.delete(listener);
    },
  };
  const declare = (name: string, kind = 'Site') => {
    step += 1;
    const header = {
      rev: entries.length + 1,
      epoch: 1,
      at: at(),
      actor: 'test',
      kind,
      name,
      op: 'put' as const,
    };
    const entry: Entry = { ...header, digest: '', chain: '0'.repeat(64) };
    entries.push(entry);
    for (const listener of onCommit) listener({ entries: [entry] });
  };
  return { store, declare };
}

const happening = (type: string, node?: string): Happening => ({
  ...{ type, severity: 'info', subject: type, message: type },
  ...(node === undefined ? {} : { node }),
});

function startStream() {
  const sources = createSources();
  const events = createEvents({ store: sources.store, log: createLog('test', 'silent') });
  events.start();
  const run = (step: Step) =>
    step.declares ? sources.declare(`s${step.nr}`, step.kind) : events.emit(happening(step.type, step.node));
  return { events, run };
}

interface Step {
  nr: number;
  declares: boolean;
  kind: string;
  type: string;
  node: string | undefined;
}

const step = fc.record({
  nr: fc.nat(1000),
  declares: fc.boolean(),
  kind: fc.constantFrom('Site', 'Node'),
  type: fc.constantFrom('drift.repaired', 'drift.reported', 'driftwood', 'check.down'),
  node: fc.constantFrom('n1', 'n2', undefined),
});
const filter = fc.constantFrom<EventFilter>(
  {},
  { node: 'n1' },
  { type: 'drift' },
  { type: 'journal' },
  { node: 'n1', type: 'check.down' },
);

it('[2.8] whoever reads page by page, from any line on, gets each line once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      filter,
      fc.integer({ min: 1, max: 7 }),
      async (steps, wanted, limit) => {
        const { events, run } = startStream();
        for (const one of steps) run(one);
        const all = await events.read({ ...wanted, since: '0.0', limit: 1000 });
        const paged: EventLine[] = [];
        for (let since = '0.0', before = ''; since !== before; ) {
          const { items, next } = await events.read({ ...wanted, since, limit });
          paged.push(...items);
          [before, since] = [since, next];
        }
        expect(paged).toEqual(all.items);
        expect(all.items.map(({ at }) => at)).toEqual(all.items.map(({ at }) => at).sort());
        for (const [nr, { id }] of all.items.entries())
          expect((await events.read({ ...wanted, since: id, limit: 1000 })).items).toEqual(
            all.items.slice(nr + 1),
          );
      },
    ),
  );
});

it('[2.8] a follower hears what was and what comes, each line once, wherever it begins and whenever it joins', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), fc.nat(30), filter, async (steps, cut, wanted) => {
      const { events, run } = startStream();
      for (const one of steps.slice(0, cut)) run(one);
      const heard: EventLine[] = [];
      const failed = (err: Error) => {
        throw err;
      };
      const undo = events.follow(
        { ...wanted, since: '0.0' },
        { lines: (lines) => void heard.push(...lines), failed },
      );
      // These come while it still catches up.
      for (const one of steps.slice(cut)) run(one);
      const { items } = await events.read({ ...wanted, since: '0.0', limit: 1000 });
      await until('all is heard', () => heard.length === items.length);
      expect(heard).toEqual(items);
      undo();
      run({ nr: 1, declares: false, kind: 'Site', type: 'check.down', node: 'n1' });
      expect(heard).toHaveLength(items.length);
    }),
    { numRuns: 50 },
  );
});

it('[2.8] the newest are read without saying where to begin, and lead on from there', async () => {
  const { events, run } = startStream();
  for (let nr = 0; nr < 20; nr += 1)
    run({ nr, declares: nr % 2 === 0, kind: 'Site', type: 'drift.repaired', node: 'n1' });
  const { items, next } = await events.read({ limit: 3 });
  expect(items.map(({ type }) => type)).toEqual(['drift.repaired', 'journal.put', 'drift.repaired']);
  expect(next).toBe('10.10');
  run({ nr: 99, declares: true, kind: 'Node', type: '', node: undefined });
  const [fresh] = (await events.read({ since: next, limit: 10 })).items;
  expect(fresh).toMatchObject({ id: '11.10', type: 'journal.put', subject: 'Node/s99', node: 's99' });
});

it('[2.8] an id that is none is refused', async () => {
  const { events } = startStream();
  await expect(events.read({ since: '1; DROP', limit: 1 })).rejects.toMatchObject({ code: 'bad-request' });
});
