/**
 * Clones: two boxes that show one key, as when the disk of a node was copied. Each agent shows an id that is new with its
 * process: one that was replaced never comes back, whatever restarts, reboots and moves to another address. One that does is
 * the other of two that live. The first of them keeps its place.
 */
import { Compile } from 'typebox/compile';
import { type Clock, moment } from '../common/clock.ts';
import { EvenkeelError } from '../protocol/errors.ts';
import { Incarnation } from '../protocol/messages.ts';
import type { EventLine, NodeView } from '../protocol/views.ts';

interface Seen {
  box: Incarnation;
  from: string;
  /** On the monotonic clock. */
  at: number;
}

interface Place {
  now: Seen;
  /** Ids of processes that were replaced, the last ones. */
  before: string[];
  copy?: { other: Seen; since: string } | undefined;
}

export interface Clones {
  /**
   * Judges who connects as a node, before it takes the place of whoever is connected.
   * @param shown the user name of its CONNECT; older agents show none
   * @throws EvenkeelError identity-copied
   */
  admit(node: string, shown: string | undefined, from?: string): void;
  /** @throws EvenkeelError identity-copied for a process that has not the node's place */
  refuseCopy(node: string, run: string): void;
  /** What stands now, as an alarm of the node. */
  alarms(node: string): NodeView['alarms'];
  forget(node: string): void;
  /** Takes back what is over; returns its undo. */
  start(): () => void;
}

export interface ClonesOptions {
  /** When the node was last heard, on the monotonic clock. */
  heard: (node: string) => number | undefined;
  emit: (happening: Omit<EventLine, 'id' | 'at'>) => void;
  clock: Clock;
}

const MOST_BEFORE = 8;
/** After so long without the first, the second is what is left of them: a disk that has moved. */
const HOLD_MS = 300_000;
/** Longer than any wait of an agent between two tries. */
const OVER_MS = 600_000;
const LOOK_EVERY_MS = 60_000;

const isIncarnation = Compile(Incarnation);

export function createClones({ heard, emit, clock }: ClonesOptions): Clones {
  const places = new Map<string, Place>();

  const holds = (node: string, { now }: Place) =>
    clock.monotonic() - Math.max(now.at, heard(node) ?? 0) < HOLD_MS;
  const found = (node: string, first: Seen, second: Seen, known: Place['copy']) => {
    places.set(node, {
      ...{ now: first, before: [] },
      copy: { other: second, since: known?.since ?? moment(clock) },
    });
    if (known) return;
    emit({
      ...{ type: 'identity.cloned', severity: 'error', node, subject: node },
      message: `two boxes show the key of ${node}: ${words(first)} and ${words(second)}; the second is refused`,
      data: { first: dataOf(first), second: dataOf(second) },
    });
  };
  const refuse = (node: string, place: Place, seen: Seen): never => {
    if (place.copy) place.copy.other = seen;
    throw new EvenkeelError(
      'identity-copied',
      `another box, ${words(place.now)}, has the key of ${node} and its place; this one is ${words(seen)}`,
    );
  };
  const judge = (node: string, place: Place, seen: Seen) => {
    const { now, before, copy } = place;
    const { run } = seen.box;
    if (run === now.box.run) place.now = seen;
    else if (copy && isCopy(seen.box, copy.other.box, now.box)) {
      if (holds(node, place)) refuse(node, place, seen);
      places.set(node, { now: seen, before: [] });
    } else if (before.includes(run)) found(node, seen, now, copy);
    else places.set(node, { now: seen, before: [...before, now.box.run].slice(-MOST_BEFORE), copy });
  };
  const look = () => {
    for (const place of places.values())
      if (place.copy && clock.monotonic() - place.copy.other.at > OVER_MS) place.copy = undefined;
  };
  return {
    admit: (node, shown, from = 'an unknown address') => {
      const box = incarnationIn(shown);
      if (!box) return;
      const seen = { box, from: from.replace(/^::ffff:/i, ''), at: clock.monotonic() };
      const place = places.get(node);
      if (place) judge(node, place, seen);
      else places.set(node, { now: seen, before: [] });
    },
    refuseCopy: (node, run) => {
      const place = places.get(node);
      if (place && place.now.box.run !== run)
        throw new EvenkeelError(
          'identity-copied',
          `another box, ${words(place.now)}, has the place of ${node}; it is not this one that can take it away`,
        );
    },
    alarms: (node) => {
      const place = places.get(node);
      if (!place?.copy) return [];
      const message =
        `two boxes show one key: ${words(place.now)} has the place, ${words(place.copy.other)} is refused; ` +
        'on the copy remove the identity folder, and join it with an invitation of its own';
      return [{ code: 'identity-copied', subject: node, message, since: place.copy.since }];
    },
    forget: (node) => {
      places.delete(node);
    },
    start: () => clock.every(LOOK_EVERY_MS, look),
  };
}

/** The refused box again, also after a restart or a reboot, and not the one that has the place. */
const isCopy = (box: Incarnation, copy: Incarnation, first: Incarnation): boolean =>
  box.run === copy.run || (isLike(box, copy) && !isLike(box, first));

const isLike = (a: Incarnation, b: Incarnation): boolean =>
  (a.boot !== '' && a.boot === b.boot) || (a.hardware !== '' && a.hardware === b.hardware);

const dataOf = ({ box: { boot, machine, hardware }, from }: Seen) => ({ from, boot, machine, hardware });

const words = ({ from, box: { boot, machine, hardware } }: Seen): string =>
  `${from} (machine ${machine || '?'}, boot ${boot || '?'}, hardware ${hardware || '?'})`;

/** What cannot be read is as good as nothing shown: the certificate is what lets a node in. */
function incarnationIn(shown: string | undefined): Incarnation | undefined {
  if (shown === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(shown);
    return isIncarnation.Check(parsed) ? parsed : undefined;
  } catch {
    return undefined; // no JSON: not from an agent of ours
  }
}
