/**
 * Phases: what the job does next with a storage that is being moved: wait, go on, or take it back. Pure.
 *
 *   copy ──► freeze ──► fence ──► compare ──► switch ──► thaw (`move` is gone)
 *     └─────────┴─────────┴──────────┴───────────┴──► taken back (the old server, and `move` is gone)
 */
import { milliseconds } from '../../common/units.ts';
import type { StorageReport } from '../../protocol/messages.ts';
import type { MovePhase, StorageMove, StoragePlace, StorageSpec } from '../../protocol/resources/storage.ts';
import type { EventLine } from '../../protocol/views.ts';
import type { Mount } from './facts.ts';

export type Happening = Omit<EventLine, 'id' | 'at'>;

export interface MoveFacts {
  /** Every node that mounts it. */
  mounts: readonly Mount[];
  /** What the old server lacks until it serves as declared, fenced or not; null where it has all, and where it is not ours to tell. */
  unfenced: string | null;
  /** What the node that copies has said last of this move. */
  report: StorageReport | undefined;
  /** Milliseconds since the epoch. */
  now: number;
  /** For how many milliseconds this run of the manager has seen the phase stand. */
  watched: number;
}

export interface Step {
  spec: StorageSpec;
  tells: Happening;
}

/** What it waits for, or what is to be written. */
export type Next = { waits: string } | { step: Step };

const MINUTE = 60_000;

/** Nobody writes from freeze to thaw, so that these four are short; copying may take as long as disks and lines need. */
const DEADLINES: Record<Exclude<MovePhase, 'compare'>, number> = {
  copy: 7 * 24 * 60 * MINUTE,
  freeze: MINUTE,
  fence: MINUTE,
  switch: 2 * MINUTE,
};

/** In milliseconds. How long comparing takes is a matter of how much there is. */
export const deadlineOf = ({ phase, compareWithin }: Pick<StorageMove, 'phase' | 'compareWithin'>): number =>
  phase === 'compare' ? milliseconds(compareWithin) : DEADLINES[phase];

/** A manager that has just started is told everything within this time, before it holds silence against anybody. */
export const GRACE_MS = 30_000;
/** What is left after a pass that took so long is copied in about as much time while nobody writes. */
export const QUICK_S = 10;
/** More passes do not help where more is written than copied. */
export const MOST_PASSES = 5;

export function nextOf(name: string, spec: StorageSpec, facts: MoveFacts): Next {
  const { move } = spec;
  if (!move) return { waits: '' };
  const failure = failureOf(move, facts);
  if (failure !== null) return { step: takenBack(name, spec, failure, facts.now) };
  const waits = waitsOf(move, facts);
  if (waits === null) return { step: onward(name, spec, move, facts.now) };
  if (!isLate(move, facts)) return { waits };
  const late = `the phase ${move.phase} was not through in time: ${waits}`;
  return { step: takenBack(name, spec, late, facts.now) };
}

/** By either clock: that of the wall may be set, and the other one knows nothing of an earlier run. */
function isLate(move: StorageMove, { now, watched }: MoveFacts): boolean {
  const deadline = deadlineOf(move);
  return watched > deadline || (watched > GRACE_MS && now - Date.parse(move.since) > deadline);
}

/** What this move and phase cannot recover from. */
function failureOf({ phase, by }: StorageMove, { mounts, report, watched }: MoveFacts): string | null {
  if (phase === 'switch') return null;
  if (!mounts.some(({ node }) => node === by)) return `${by}, which copies, does not mount it any more`;
  if (report?.phase !== phase) return null;
  if (report.error) return `${by}: ${report.error.message}`;
  if (report.identical === false) return `${by}: the two sides are not the same`;
  const missing = unready(mounts);
  if (phase === 'compare' && report.identical && missing !== null && watched > GRACE_MS)
    return `not every node has it read-only any more: ${missing}`;
  return null;
}

/** Null when the phase is through. */
function waitsOf({ phase, by }: StorageMove, { mounts, unfenced, report }: MoveFacts): string | null {
  const own = report?.phase === phase ? report : undefined;
  const missing = unready(mounts);
  if (phase === 'freeze' || phase === 'switch') return missing;
  if (phase === 'fence') return unfenced ?? missing;
  if (phase === 'compare' && !own?.identical) return `${by} compares both sides`;
  if (phase === 'copy' && !(own && isSettled(own))) return `${by} copies`;
  // A server that does not do its part now would not fence either, and nobody should be read-only to learn that.
  return missing ?? (phase === 'copy' ? unfenced : null);
}

const isSettled = ({ pass, seconds }: StorageReport): boolean =>
  pass >= MOST_PASSES || (pass > 0 && seconds < QUICK_S);

const unready = (mounts: readonly Mount[]): string | null => {
  const missing = mounts.filter(({ state }) => state === 'waiting' || state === 'away');
  return missing.length === 0 ? null : missing.map(({ node, why }) => `${node}: ${why}`).join('; ');
};

const then: Record<MovePhase, MovePhase | null> = {
  copy: 'freeze',
  freeze: 'fence',
  fence: 'compare',
  compare: 'switch',
  switch: null,
};
const says: Record<MovePhase, string> = {
  copy: 'is copied',
  freeze: 'becomes read-only on every node, and is read as before',
  fence: 'is exported read-only by the old server, where that is a node',
  compare: 'is copied for the last time, and compared',
  switch: 'is taken from the new server by every node',
};

function onward(name: string, spec: StorageSpec, move: StorageMove, now: number): Step {
  const phase = then[move.phase];
  if (phase === null) return thawed(name, spec, move, now);
  const since = new Date(now).toISOString();
  const place = phase === 'switch' ? move.to : move.from;
  const frozen = phase === 'freeze' ? { frozen: since } : {};
  return {
    spec: { ...spec, ...place, move: { ...move, phase, since, ...frozen } },
    tells: tale('info', 'storage.phase', name, `Storage/${name} ${says[phase]}`, { id: move.id, phase }),
  };
}

function thawed(name: string, { move: _, ...spec }: StorageSpec, move: StorageMove, now: number): Step {
  const seconds = frozenFor(move, now);
  const message = `Storage/${name} has moved to ${placeText(move.to)}; for ${seconds} s nobody could write. The data at ${placeText(move.from)} were left as they are`;
  return {
    spec: { ...spec, ...move.to },
    tells: tale('info', 'storage.moved', name, message, { id: move.id, seconds }),
  };
}

/** The old server, in one write with the end of the move: nobody has written to the new one. */
export function takenBack(
  name: string,
  { move, ...spec }: StorageSpec,
  reason: string,
  now: number,
  severity: Happening['severity'] = 'error',
): Step {
  const seconds = move ? frozenFor(move, now) : 0;
  const paused = seconds > 0 ? `; for ${seconds} s nobody could write` : '';
  const message = `the move of Storage/${name} was taken back in ${move?.phase}${paused}: ${reason}`;
  return {
    spec: { ...spec, ...move?.from },
    tells: {
      type: 'storage.reverted',
      severity,
      subject: name,
      message,
      data: { id: move?.id, seconds, reason },
    },
  };
}

const frozenFor = ({ frozen }: StorageMove, now: number): number =>
  frozen === undefined ? 0 : Math.max(0, Math.round((now - Date.parse(frozen)) / 1000));

export const tale = (
  severity: Happening['severity'],
  type: string,
  subject: string,
  message: string,
  data: object,
): Happening => ({ type, severity, subject, message, data });

export const placeText = ({ server, export: path }: StoragePlace): string =>
  `${typeof server === 'string' ? server : `node ${server.node}`}:${path}`;
