/** `evenkeel journal`: who has declared what, and whether the chain of it holds. */
import { type Command, InvalidArgumentError } from 'commander';
import type { JournalEntry } from '../../protocol/views.ts';
import { Ended } from '../failure.ts';
import type { Tone } from '../paint.ts';
import { withProgress } from '../progress.ts';
import { sessionOf } from '../session.ts';
import { clockTime } from '../time.ts';

interface JournalOptions {
  since?: number;
  limit: number;
}

const toneOf: Record<JournalEntry['did'], Tone> = {
  create: 'good',
  update: 'good',
  delete: 'bad',
  epoch: 'warn',
};

export function addJournal(program: Command): void {
  const journal = program
    .command('journal')
    .description('every accepted change, oldest first: the newest, or those after a revision')
    .option('--since <revision>', 'after this revision', whole)
    .option('--limit <count>', 'at most so many, up to 1000', whole, 50)
    .action(async (query: JournalOptions, command: Command) => {
      const session = sessionOf(command);
      const answer = await session.client.call('journal', { query });
      session.print(answer.items, () =>
        session.table(
          ['REVISION', 'EPOCH', 'WHEN', 'WHO', 'DID', 'WHAT'],
          answer.items.map(({ rev, epoch, at, actor, did, kind, name }) => [
            ...[String(rev), String(epoch), clockTime(at), actor],
            { text: did, tone: toneOf[did] },
            `${kind}/${name}`,
          ]),
        ),
      );
    });
  addVerify(journal);
}

function addVerify(journal: Command): void {
  journal
    .command('verify')
    .description('verify the hash chain, every body that is kept, and the digests of the scopes')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const answer = await withProgress('verifying the journal', () => session.client.call('verify'));
      const { ok, entries, bodies, scopes, problems } = answer;
      session.print(answer, () =>
        [
          ok ? session.paint('good', 'the journal holds') : session.paint('bad', 'the journal does not hold'),
          `  ${entries} entries in the chain, ${bodies} of them with their body, ${scopes} scopes`,
          ...problems.map((problem) => `  ${problem}`),
        ].join('\n'),
      );
      if (!ok) throw new Ended('internal');
    });
}

function whole(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  throw new InvalidArgumentError('use a whole number');
}
