/** A load on a sandbox while things are killed, drained, changed and restarted, and a verdict on each failed request. */

import { NODE_HEADER } from '../../cli/sandbox/ready.ts';
import type { Clock } from '../../common/clock.ts';
import { type HaproxyLog, type LogLine, receiveHaproxyLog } from '../../test/support/haproxy-log.ts';
import { isFailure, queryOf, type Sample, startLoad } from '../../test/support/load.ts';
import { type Turn, watchPool } from '../../test/support/pool-watch.ts';
import type { TestSandbox } from '../../test/support/sandbox.ts';
import { type Happening, scenario } from './scenario.ts';

export interface LoadTest {
  sandbox: TestSandbox;
  seconds: number;
  rate: number;
  clock: Clock;
  say: (line: string) => void;
  /**
   * shipped: a killed nginx may take only those requests with it that were in flight on it.
   * verdicts: HAProxy neither checks nor retries, so requests may fail until our verdict has removed the node.
   */
  mode: 'shipped' | 'verdicts';
}

/** Something that was done to the cluster, and when the pool answered. Moments are of the monotonic clock. */
export interface Event extends Happening {
  /** The node took no more traffic; null where it never left the pool. */
  removedAt: number | null;
  backAt: number | null;
  /** Failed requests that this event explains. */
  failed: Judged[];
}

export interface Judged {
  sample: Sample;
  /** HAProxy's own line about it. */
  line: LogLine | undefined;
}

export interface LoadResult {
  samples: Sample[];
  events: Event[];
  /** Failures that no event explains: there must be none. */
  unexplained: Judged[];
  /** Requests of which HAProxy's log line was received. */
  logged: number;
  /** Requests that the client had to ask again because their kept-alive connection was closed without an answer. */
  askedAgain: number;
  perSecond: number;
}

/** An nginx that was kept down comes back later each time, so the second run takes another. */
const casts = { shipped: ['n1', 'n2', 'n3'], verdicts: ['n1', 'n3', 'n2'] } as const;

export async function runLoad(test: LoadTest): Promise<LoadResult> {
  const { sandbox, clock, rate, seconds } = test;
  const log = await receiveHaproxyLog();
  await configure(test, log);
  const watch = watchPool({ socket: sandbox.path(`${sandbox.up().director.root}/run/haproxy.sock`), clock });
  const load = startLoad({ url: `${sandbox.up().balancer}/`, rate, clock, nodeHeader: NODE_HEADER });
  const begun = clock.monotonic();
  try {
    const happenings = await scenario({ ...test, begun, cast: casts[test.mode] });
    await clock.sleep(Math.max(0, begun + seconds * 1000 - clock.monotonic()));
    const samples = await load.stop();
    // The last log lines are under way.
    await clock.sleep(500);
    const elapsed = (clock.monotonic() - begun - 500) / 1000;
    return verdict(test.mode, samples, happenings, watch.turns, log.lines, elapsed);
  } finally {
    await load.stop();
    await watch.stop();
    await log.close();
  }
}

/** The director's parameters for the run: its log comes to us, and, where asked, only our verdicts act. */
async function configure({ sandbox, clock, mode }: LoadTest, log: HaproxyLog): Promise<void> {
  const { spec } = await sandbox.client().call('get', { params: { kind: 'Node', name: 'lb' } });
  const { parameters } = spec as { parameters: object };
  const verdicts = mode === 'verdicts' ? { haproxyRetries: 0, haproxyChecks: false } : {};
  const wanted = { ...parameters, haproxyLog: log.target, ...verdicts };
  const params = { kind: 'Node', name: 'lb' } as const;
  await sandbox.client().call('patch', { params, body: { spec: { parameters: wanted } } });
  // It is in force once the log of a request arrives.
  for (let tries = 0; tries < 200 && !log.lines.has(TRIAL); tries += 1) {
    await sandbox.get('example.org', `/?${queryOf(TRIAL)}`);
    await clock.sleep(100);
  }
  if (!log.lines.has(TRIAL)) throw new Error('HAProxy does not send its log');
}

/** The number of the requests that only try whether the log arrives. */
const TRIAL = 999_999_999;

function verdict(
  mode: LoadTest['mode'],
  samples: Sample[],
  happenings: Happening[],
  turns: Turn[],
  lines: Map<number, LogLine>,
  elapsed: number,
): LoadResult {
  const events = happenings.map((happening): Event => {
    const next = nextTo(happening, happenings);
    return { ...happening, ...turnsAfter(happening, next, turns), failed: [] };
  });
  const unexplained: Judged[] = [];
  for (const sample of samples.filter(isFailure)) {
    const judged = { sample, line: lines.get(sample.id) };
    const event = events.find((candidate) => explains(candidate, judged, mode));
    (event?.failed ?? unexplained).push(judged);
  }
  const logged = samples.filter(({ id }) => lines.has(id)).length;
  const askedAgain = samples.filter((sample) => sample.askedAgain).length;
  return { samples, events, unexplained, logged, askedAgain, perSecond: samples.length / elapsed };
}

/** When the node left the pool after this and when it was back, as HAProxy itself had it, until the next thing was done to it. */
function turnsAfter({ node, at }: Happening, next: number, turns: Turn[]) {
  const later = turns.filter((turn) => turn.node === node && turn.at >= at && turn.at < next);
  const removed = later.find(({ taking }) => !taking);
  const back = later.find((turn) => turn.taking && turn.at > (removed?.at ?? at));
  return { removedAt: removed?.at ?? null, backAt: back?.at ?? null };
}

const nextTo = ({ node, at }: Happening, all: Happening[]): number =>
  all.find((other) => other.node === node && other.at > at)?.at ?? Number.POSITIVE_INFINITY;

/**
 * The excuse of a failed request: by HAProxy's log it was sent to the node whose nginx was killed, and it was under
 * way at such a moment, or, when only verdicts act, while the node had not been removed yet.
 */
function explains(event: Event, { sample, line }: Judged, mode: LoadTest['mode']): boolean {
  if (event.kills.length === 0 || line?.server !== event.node) return false;
  const spans =
    mode === 'shipped' ? event.kills.map((at) => [at, at] as const) : [[event.at, endOf(event)] as const];
  return spans.some(
    ([from, until]) => sample.startedAt <= until + MEASURING && sample.endedAt >= from - MEASURING,
  );
}

/** Until then a request could still be sent to a dead port: the node is removed, or serves again before that. */
export const endOf = ({ at, removedAt, servesAgainAt }: Event): number => {
  const ends = [removedAt, servesAgainAt].filter((moment) => moment !== null);
  return ends.length === 0 ? at : Math.min(...ends);
};

/** What two looks at the pool and the way of a signal may differ by. */
const MEASURING = 20;

/** The table for people: each event with the pool's answer, and each failure beside it. */
export function printResult(result: LoadResult, say: (line: string) => void): void {
  const { samples, logged, askedAgain, perSecond, events, unexplained } = result;
  const failed = samples.filter(isFailure).length;
  const kept = samples.filter((sample) => sample.kept).length;
  say(
    `${samples.length} requests, ${perSecond.toFixed(0)} a second, ${kept} of them on kept-alive connections; ` +
      `${failed} failed, ${askedAgain} asked again by the client; ${logged} are in HAProxy's log`,
  );
  for (const event of events) {
    say(`${event.name}: ${timesOf(event)}, ${event.failed.length} failed`);
    for (const line of groupsOf(event)) say(`    ${line}`);
  }
  for (const judged of unexplained) say(`unexplained: ${wordsOf(judged)}`);
}

function timesOf({ at, removedAt, backAt, servesAgainAt }: Event): string {
  const after = (moment: number | null) =>
    moment === null ? 'never' : `after ${(moment - at).toFixed(0)} ms`;
  const served = servesAgainAt === null ? '' : `, port serves again ${after(servesAgainAt)}`;
  return `out of the pool ${after(removedAt)}, back ${after(backAt)}${served}`;
}

/** Failures that are alike on one line, with the span of time in which they began. */
function groupsOf({ failed, at }: Event): string[] {
  const groups = new Map<string, number[]>();
  for (const judged of failed) {
    const alike = outcomeOf(judged);
    groups.set(alike, [...(groups.get(alike) ?? []), judged.sample.startedAt - at]);
  }
  return [...groups].map(([alike, starts]) => {
    const [first, last] = [Math.min(...starts), Math.max(...starts)];
    return `${starts.length} begun ${first.toFixed(0)} to ${last.toFixed(0)} ms after it: ${alike}`;
  });
}

function outcomeOf({ sample, line }: Judged): string {
  const seen = sample.error ?? `status ${sample.status}`;
  const sent = line
    ? `sent to ${line.server}, ended ${line.ended}, ${line.retries} retries`
    : 'not in the log';
  return `${seen}; ${sent}`;
}

function wordsOf(judged: Judged): string {
  const { id, kept, startedAt, endedAt } = judged.sample;
  const span = `${startedAt.toFixed(0)} to ${endedAt.toFixed(0)} ms`;
  return `request ${id}${kept ? ', kept-alive' : ''}: ${span}: ${outcomeOf(judged)}`;
}
