/** The witness: the daemon itself shows which tree it serves. A signal that was sent proves nothing. */
import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { basename, dirname, join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { ResolvedLoaded } from '../../common/render/resolved.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';

const PAUSE_MS = 20;
const PATIENCE_MS = 1_000;
/** A turn takes no longer than a question; an agent for which it did was stopped, and that time does not count. */
const LONGEST_TURN_MS = 2 * PATIENCE_MS;
const MOST_BYTES = 64 * 1024;

export interface Patience {
  deadline: number;
  /** How long it has to show it without interruption: for a moment, old workers and new ones answer in turn. */
  steady: number;
  /** A daemon that has died will never show anything. */
  isAlive: () => boolean;
  clock: Clock;
  signal: AbortSignal;
}

/** Asks until the daemon shows what is expected. @throws EvenkeelError not-loaded with what it showed last, or service-died */
export async function awaitLoaded(
  loaded: ResolvedLoaded,
  { deadline, steady, isAlive, clock, signal }: Patience,
): Promise<void> {
  let end = clock.monotonic() + deadline;
  let since: number | null = null;
  let turnAt = clock.monotonic();
  for (;;) {
    const shown = await ask(loaded).catch((err: unknown) => `no answer (${messageOf(err)})`);
    const turn = clock.monotonic() - turnAt;
    if (turn > LONGEST_TURN_MS) {
      end += turn;
      since = null;
    }
    turnAt += turn;
    since = shown.includes(loaded.expect) ? (since ?? clock.monotonic()) : null;
    if (since !== null && clock.monotonic() - since >= steady) return;
    if (signal.aborted || clock.monotonic() >= end)
      throw new EvenkeelError(
        'not-loaded',
        `within ${deadline} ms it did not show ${loaded.expect}, but ${gistOf(shown)}`,
      );
    if (!isAlive()) throw new EvenkeelError('service-died', 'the daemon died while it loaded');
    await clock.sleep(PAUSE_MS);
  }
}

/**
 * Before the daemon is told to load: a file that an earlier load has left shows nothing, and those of other trees are
 * garbage. Only names that differ from the witness's in their digest are touched.
 */
export async function takeAway(loaded: ResolvedLoaded): Promise<void> {
  if (loaded.type !== 'file') return;
  const folder = dirname(loaded.file);
  const [before = '', after = ''] = basename(loaded.file).split(loaded.expect);
  const isWitness = (name: string) =>
    name.startsWith(before) &&
    name.endsWith(after) &&
    /^[0-9a-f]{64}$/.test(name.slice(before.length, name.length - after.length));
  const names = existsSync(folder) ? await readdir(folder) : [];
  for (const name of names.filter(isWitness)) await rm(join(folder, name), { force: true });
}

const gistOf = (shown: string): string => JSON.stringify(shown.trim().slice(0, 200));

async function ask(loaded: ResolvedLoaded): Promise<string> {
  if (loaded.type === 'file') return existsSync(loaded.file) ? loaded.expect : 'no such file yet';
  return loaded.type === 'http' ? askHttp(loaded) : askSocket(loaded);
}

function askHttp({ socket, address, port, path }: ResolvedLoaded & { type: 'http' }): Promise<string> {
  const target = socket === undefined ? { host: address, port } : { socketPath: socket };
  return new Promise((resolve, reject) => {
    const asked = request(
      { ...target, path, agent: false, signal: AbortSignal.timeout(PATIENCE_MS) },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8').on('data', (part: string) => {
          text += part;
          if (text.length > MOST_BYTES) answer.destroy(new Error('the answer is too long'));
        });
        answer.once('end', () => resolve(text));
        answer.once('error', reject);
      },
    );
    asked.once('error', reject);
    asked.end();
  });
}

function askSocket({ socket, send }: ResolvedLoaded & { type: 'socket' }): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const connection = connect({ path: socket, signal: AbortSignal.timeout(PATIENCE_MS) });
    connection.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.length > MOST_BYTES) connection.destroy(new Error('the answer is too long'));
    });
    connection.once('connect', () => connection.end(`${send}\n`));
    connection.once('close', () => resolve(text));
    connection.once('error', reject);
  });
}
