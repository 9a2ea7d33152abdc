/** The passphrase of a backup: from a file, from the environment, or from whoever sits at the terminal. Never an argument. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { messageOf } from '../protocol/errors.ts';
import { UsageError } from './failure.ts';

const SHORTEST = 12;

/** @throws UsageError when there is none, or it is too short */
export async function passphraseFor(file: string | undefined): Promise<string> {
  const passphrase = file === undefined ? (process.env.EVENKEEL_PASSPHRASE ?? (await asked())) : inFile(file);
  if (passphrase.length >= SHORTEST) return passphrase;
  throw new UsageError(
    `the passphrase is too short`,
    `use at least ${SHORTEST} characters; without it nobody opens the backup`,
  );
}

function inFile(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (err) {
    throw new UsageError(`${file} cannot be read: ${messageOf(err)}`);
  }
}

/** Twice, unseen: a slip would make a backup that nobody can open. */
async function asked(): Promise<string> {
  if (!process.stdin.isTTY)
    throw new UsageError('no passphrase', 'give --passphrase-file FILE, or set EVENKEEL_PASSPHRASE');
  const first = await unseen('passphrase: ');
  if (first === (await unseen('once more: '))) return first;
  throw new UsageError('the two are not the same');
}

async function unseen(question: string): Promise<string> {
  process.stderr.write(question);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  lines.once('SIGINT', () => process.exit(130));
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
