/** One command of a queue: what may happen to it, and what it is then. Pure: time comes in, a new command comes out. */
import { EvenkeelError } from '../../protocol/errors.ts';
import {
  type ActionValues,
  type CommandState,
  isOpen,
  type Try,
  type TryResult,
} from '../../protocol/queue.ts';
import type { Turn } from './turn.ts';

/** A command as it stands. Moments are milliseconds since the epoch. */
export interface Command {
  /** Its place in the order of its node. */
  seq: number;
  run: string;
  node: string;
  action: string;
  digest: string;
  idempotent: boolean;
  values: ActionValues;
  /** Names of the values that nobody is shown. */
  hidden: readonly string[];
  /** Who asked for it, and when. */
  by: string;
  at: string;
  state: CommandState;
  /** When it came into this state. */
  since: number;
  /** A try of it was begun: it may have done something. */
  begun: boolean;
  /** It has succeeded, for its `unless` said that there was nothing to do. */
  already: boolean;
  /** The number of the newest try; 0 before the first. */
  number: number;
  /** When it is tried again by itself; null: never, or not now. */
  again: number | null;
  /** Not begun by then, it never is. */
  expires: number | null;
  /** Of a rolling run: how far that has come with its node; null: it was open from the beginning. */
  turn: Turn | null;
  /** Milliseconds of the wait before it begins. */
  delay: number;
  /** It is to be stopped, and its end has not been told yet. */
  stopping: boolean;
  /** Of the agent that has the newest try; another record knows nothing of it. */
  ledger: string | null;
  /** What is wrong, for people; empty while nothing is. */
  error: { code: string; message: string } | null;
  /** Whose word ended it, and why. */
  ended: { by: string; reason: string } | null;
}

export const AGAIN_MS = 5 * 60_000;

/** What a pull makes of the command at the head: it may begin a try, or turn out never to have been seen through. */
export interface Offered {
  command: Command;
  next: Try | null;
}

const tryOf = ({ run, number, action, digest, values, delay, expires }: Command, now: number): Try => ({
  run,
  number,
  action,
  digest,
  values,
  // Waited out once: who tries again has waited already.
  // And begun in time.
  delay: number === 1 ? Math.max(0, Math.min(delay, (expires ?? Number.POSITIVE_INFINITY) - now)) : 0,
});

const handedOut = (command: Command, ledger: string, now: number): Offered => {
  const begun: Command = {
    ...command,
    ...{ state: 'running', number: command.number + 1, again: null, error: null, ledger },
  };
  return { command: begun, next: tryOf(begun, now) };
};

/** A run that goes about its nodes a few at a time opens one after the other. */
export const isOpened = ({ turn }: Pick<Command, 'turn'>): boolean =>
  turn === null || (turn.phase !== 'waits' && turn.phase !== 'drains');

/**
 * The command at the head of a queue, asked for by an agent that works on nothing else.
 * @param ledger of the agent that asks
 */
export function offered(
  command: Command,
  { ledger, now, paused }: { ledger: string; now: number; paused: boolean },
): Offered {
  const { state, again } = command;
  if (state === 'running')
    return command.ledger === ledger
      ? handedAgain(command, now)
      : { command: lost(command, now), next: null };
  const isDue =
    state === 'waiting' ? isOpened(command) : state === 'failed' && again !== null && again <= now;
  return isDue && !paused ? handedOut(command, ledger, now) : { command, next: null };
}

/** Taken and not begun, it is asked for again: the same try, and none when its time is over. */
function handedAgain(command: Command, now: number): Offered {
  if (command.stopping) return { command, next: null };
  if (command.begun || command.expires === null || command.expires > now)
    return { command, next: tryOf(command, now) };
  const ended = { by: 'manager', reason: 'it was not begun in its time' };
  return { command: { ...command, stopping: true, ended }, next: null };
}

/** The agent's record is gone, and with it whether the try was begun. */
function lost(before: Command, now: number): Command {
  const command = { ...before, begun: true };
  const error = { code: 'record-lost', message: 'the agent has no record of this try any more' };
  if (command.stopping && command.idempotent) return over(command, 'cancelled', null);
  return command.idempotent
    ? { ...command, state: 'failed', again: now, error }
    : { ...command, ...{ state: 'unknown', stopping: false, error } };
}

/** It is over, so; who ended it stays where somebody had wanted it before. */
export const over = (command: Command, state: CommandState, ended: Command['ended']): Command => ({
  ...command,
  ...{ state, again: null, stopping: false, ended: ended ?? command.ended },
});

/** What the agent tells of a try. One of an earlier try, or of a command that is over, changes nothing. */
export function told(before: Command, result: TryResult, now: number): Command {
  if (before.state !== 'running' || result.number !== before.number) return before;
  const { end, error, begun, already } = result;
  const command = { ...before, begun: before.begun || begun };
  if (end === 'succeeded') return over({ ...command, already, error: null }, 'succeeded', null);
  if (command.stopping && end !== 'unknown') return over({ ...command, error }, 'cancelled', null);
  if (end === 'unknown' && !command.idempotent)
    return { ...command, state: 'unknown', stopping: false, error };
  // Begun once and not to be done twice: a person decides.
  const again = command.idempotent || !begun ? now + AGAIN_MS : null;
  return { ...command, state: 'failed', stopping: false, again, error };
}

/** Not begun in time, it is over; null where nothing changes. */
export const expired = (command: Command, now: number): Command | null =>
  (command.state === 'waiting' || (command.state === 'failed' && !command.begun)) &&
  command.expires !== null &&
  command.expires <= now
    ? over(command, 'expired', null)
    : null;

const refuse = ({ run, node, state }: Command, verb: string, fix: string): never => {
  throw new EvenkeelError('not-possible', `${run} on ${node} is ${state} and cannot be ${verb}: ${fix}`);
};

/** What somebody who tries again may change: other values, and the action as it is declared by now. */
export type Renewed = Pick<Command, 'values' | 'digest' | 'idempotent' | 'hidden'>;

/** @throws EvenkeelError not-possible */
export function retried(command: Command, now: number, renewed?: Renewed): Command {
  if (command.state !== 'failed' && command.state !== 'unknown')
    return refuse(command, 'tried again', 'only what has failed or is unknown can');
  return { ...command, ...{ state: 'failed', again: now }, ...renewed };
}

/** @throws EvenkeelError not-possible */
export function skipped(command: Command, by: string, reason: string): Command {
  if (command.state === 'running') return refuse(command, 'skipped', 'cancel it, and its end is told');
  if (!isOpen(command.state)) return refuse(command, 'skipped', 'it is over');
  return over(command, 'skipped', { by, reason });
}

/** Of one that runs only the wish: its agent ends it and tells. @throws EvenkeelError not-possible */
export function cancelled(command: Command, by: string, reason: string): Command {
  if (!isOpen(command.state)) return refuse(command, 'cancelled', 'it is over');
  if (command.state !== 'running') return over(command, 'cancelled', { by, reason });
  return { ...command, stopping: true, ended: { by, reason } };
}
