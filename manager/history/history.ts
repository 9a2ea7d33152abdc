/**
 * The history of balancers: takes what directors say of their counters, adds it to the rings, and answers what was.
 * What is lost is a gap: nobody waits for the history, and a sample that cannot be written is told of and forgotten.
 */
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Traffic } from '../../protocol/messages.ts';
import { BALANCER_ROLE } from '../../protocol/topics.ts';
import type { HistoryView, TrafficView } from '../../protocol/views.ts';
import { after, type Counted, counted, type Sample } from './counters.ts';
import { createLive, type Who } from './live.ts';
import { seriesOf } from './points.ts';
import { momentOf, placeOf, placesBetween, type Ring, ringFor, rings } from './rings.ts';

/** One slot of one series, as it is kept; an empty member is the service itself. */
export type Kept = Sample & {
  ring: number;
  slot: number;
  lap: number;
  service: string;
  member: string;
  director: string;
};

/** Where the rings are kept. */
export interface HistoryKeeper {
  add(rows: readonly Kept[]): Promise<void>;
  read(question: {
    service: string;
    member?: string | undefined;
    ring: number;
    places: readonly { slot: number; lap: number }[];
  }): Promise<Kept[]>;
  count(question: { service: string; member?: string | undefined }): Promise<number>;
  keep(services: readonly string[], members: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

export interface HistoryOptions {
  keeper: HistoryKeeper;
  /** What is declared: of anything else nothing is kept, so that the names in messages cannot fill the disk. */
  world: {
    virtualServices(): readonly { name: string }[];
    nodes(): readonly { name: string; spec: { roles: readonly string[] } }[];
  };
  /** While it is held, the world may not be what it was: nothing is forgotten then. */
  held: () => boolean;
  clock: Clock;
  log: Log;
}

export interface Asked {
  from?: string | undefined;
  to?: string | undefined;
  step?: Ring['step'] | undefined;
  member?: string | undefined;
}

export interface History {
  /** Takes what a director has counted. */
  traffic(director: string, said: Traffic): void;
  /** What balancers carry just now. */
  live(): TrafficView[];
  /** @throws EvenkeelError not-found, or bad-request where it is too much */
  of(service: string, asked: Asked): Promise<HistoryView>;
  /** Something is not declared any more: its rings go. */
  tidy(): void;
  start(): () => Promise<void>;
}

/** The messages of one moment are one transaction. */
const GATHER_MS = 500;
const TIDY_MS = 3_600_000;
const HOUR_MS = 3_600_000;
const MOST_POINTS = 50_000;
/** Each director of a big cluster; more would be a mistake. */
const MOST_PENDING = 20_000;

export function createHistory({ keeper, world, held, clock, log }: HistoryOptions): History {
  const live = createLive({ clock });
  let pending = new Map<string, Who & Sample>();
  let planned: (() => void) | undefined;
  let writing = false;
  let work: Promise<void> = Promise.resolve();

  const isDeclared = ({ service, member }: Pick<Who, 'service' | 'member'>) =>
    world.virtualServices().some(({ name }) => name === service) &&
    (member === null || world.nodes().some(({ name }) => name === member));
  const isDirector = (node: string) =>
    world.nodes().some(({ name, spec }) => name === node && spec.roles.includes(BALANCER_ROLE));
  const put = (sample: Who & Sample) => {
    const key = JSON.stringify([sample.director, sample.service, sample.member]);
    const before = pending.get(key);
    if (before) pending.set(key, { ...sample, ...after(before, sample) });
    else if (pending.size < MOST_PENDING) pending.set(key, sample);
  };
  /** One after the other: what comes meanwhile is gathered for the next. */
  const then = (what: string, act: () => Promise<void>) => {
    work = work.then(act).catch((err: unknown) => log.error({ err: messageOf(err) }, what));
  };
  const write = (samples: readonly (Who & Sample)[], at: number) =>
    keeper.add(
      rings.flatMap((ring, index) =>
        samples.map((sample) => ({
          ...sample,
          ...placeOf(ring, at),
          ring: index,
          member: sample.member ?? '',
        })),
      ),
    );
  const flush = () => {
    planned = undefined;
    if (writing) return plan();
    writing = true;
    const samples = [...pending.values()];
    pending = new Map();
    const at = clock.now();
    then('a sample of the traffic was not kept', () =>
      write(samples, at).finally(() => {
        writing = false;
      }),
    );
  };
  const plan = () => {
    planned ??= clock.after(GATHER_MS, flush);
  };
  const tidy = () => {
    if (held()) return;
    live.keep(isDeclared);
    const names = (of: readonly { name: string }[]) => of.map(({ name }) => name);
    then('the history was not tidied', () =>
      keeper.keep(names(world.virtualServices()), names(world.nodes())),
    );
  };
  return {
    traffic: (director, said) => {
      if (!isDirector(director) || !isDeclared({ service: said.service, member: null })) return;
      const nodes = new Set(world.nodes().map(({ name }) => name));
      const rows = said.rows.filter(({ member }) => member === null || nodes.has(member));
      const samples = live.heard(director, { ...said, rows });
      for (const sample of samples) put(sample);
      if (samples.length > 0) plan();
    },
    live: () =>
      live.all().map(({ heardAt, rates, totals, ...who }) => ({
        ...who,
        ...only(totals),
        age: Math.round((clock.monotonic() - heardAt) / 1000),
        rates,
      })),
    of: async (service, asked) => {
      if (!isDeclared({ service, member: null }))
        throw new EvenkeelError('not-found', `there is no VirtualService ${service}`);
      const { from, to, ring, places } = rangeOf(asked, clock.now());
      const question = { service, member: asked.member };
      const series = await keeper.count(question);
      if (series * places.length > MOST_POINTS)
        throw new EvenkeelError(
          'bad-request',
          `${series * places.length} points are more than ${MOST_POINTS}: ask for one \`member\`, a shorter time or a greater \`step\``,
        );
      const rows = await keeper.read({ ...question, ring: rings.indexOf(ring), places });
      const at = (row: Kept) => momentOf(ring, row);
      return { service, step: ring.step, from: iso(from), to: iso(to), series: seriesOf(rows, at) };
    },
    tidy,
    start: () => {
      tidy();
      const stop = clock.every(TIDY_MS, tidy);
      return async () => {
        stop();
        planned?.();
        const last = [...pending.values()];
        if (last.length > 0)
          then('the last sample of the traffic was not kept', () => write(last, clock.now()));
        await work;
        await keeper.close();
      };
    },
  };
}

const only = (totals: Counted): Counted =>
  Object.fromEntries(counted.map((name) => [name, totals[name]])) as unknown as Counted;

const iso = (at: number): string => new Date(at).toISOString();

/** The last hour, where nothing is said. */
function rangeOf(asked: Asked, now: number) {
  const to = asked.to === undefined ? now : Date.parse(asked.to);
  const from = asked.from === undefined ? to - HOUR_MS : Date.parse(asked.from);
  if (from >= to) throw new EvenkeelError('bad-request', `from: ${iso(from)} is not before to: ${iso(to)}`);
  const ring = rings.find(({ step }) => step === asked.step) ?? ringFor(from, to, now);
  return { from, to, ring, places: placesBetween(ring, from, to, now) };
}
