/** `evenkeel backup`: the store and every key of the manager, encrypted, in one file; the manager serves meanwhile. */
import { createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import { Ended, UsageError } from '../failure.ts';
import { passphraseFor } from '../passphrase.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';

interface BackupOptions {
  passphraseFile?: string;
}

export function addBackup(program: Command): void {
  program
    .command('backup')
    .description('the store and every key of the manager, encrypted, in one file')
    .argument('<file>', 'must not exist yet')
    .option('--passphrase-file <file>', 'holds the passphrase; else EVENKEEL_PASSPHRASE, else you are asked')
    .addHelpText('after', '\nWhoever has the file and the passphrase can be the manager: keep them apart.\n')
    .action(async (file: string, { passphraseFile }: BackupOptions, command: Command) => {
      const session = sessionOf(command);
      if (await exists(file)) throw new UsageError(`${file} exists already`, 'name another file');
      const passphrase = await passphraseFor(passphraseFile);
      const bytes = await withProgress('taking a backup', () => download(session, passphrase, file));
      session.print({ file, bytes }, () => `${file}: ${(bytes / 1024).toFixed(0)} KiB`);
    });
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );

/** Under its name only once it is whole; nothing is left of one that was broken off. */
async function download(session: Session, passphrase: string, file: string): Promise<number> {
  const part = `${file}.part`;
  const interrupt = new AbortController();
  const { signal } = interrupt;
  process.once('SIGINT', () => interrupt.abort());
  try {
    const stream = await session.client.open('backup', { body: { passphrase }, signal });
    await pipeline(stream, createWriteStream(part, { mode: 0o600, flags: 'wx', flush: true }), { signal });
    if (!stream.complete) throw new Error('the manager broke off');
    await rename(part, file);
    return (await stat(file)).size;
  } catch (err) {
    await rm(part, { force: true });
    if (signal.aborted) throw new Ended('interrupted');
    if (err instanceof EvenkeelError) throw err;
    throw new EvenkeelError('internal', `the backup was not finished: ${messageOf(err)}`, { cause: err });
  }
}
