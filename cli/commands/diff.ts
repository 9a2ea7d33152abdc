/** `evenkeel diff`: what applying the files would change, in what is declared and in the files of the nodes. */
import type { Command } from 'commander';
import { renderedDiffs, resourceDiffs } from '../diffs.ts';
import { readDocuments } from '../documents.ts';
import { Ended } from '../failure.ts';
import { sessionOf } from '../session.ts';
import { collect, sendDocuments } from './apply.ts';

interface DiffOptions {
  filename: string[];
  prune: string[];
  force: boolean;
  rendered: boolean;
}

export function addDiff(program: Command): void {
  program
    .command('diff')
    .description('what apply would change; exit code 1 when there is a difference')
    .option(
      '-f, --filename <path>',
      'a file, a folder, or - for standard input; may be repeated',
      collect,
      [],
    )
    .option('--prune <kind>', 'as apply would; may be repeated', collect, [])
    .option('--force', 'as apply would', false)
    .option('--no-rendered', 'leave the files of the nodes out')
    .addHelpText('after', HELP)
    .action(async (options: DiffOptions, command: Command) => {
      const read = readDocuments(options.filename);
      const session = sessionOf(command);
      const answer = await sendDocuments(session, read, { ...options, dryRun: true });
      for (const warning of answer.warnings) session.warn(warning);
      const files = options.rendered ? renderedDiffs(answer, session.paint) : [];
      session.print(answer, () => [...resourceDiffs(answer, session.paint), ...files].join('\n\n'));
      if (answer.created + answer.updated + answer.deleted > 0) throw new Ended('difference');
    });
}

const HELP = `
The files of the nodes are shown once for each kind of node: those with the same roles and parameters.

Examples:
  evenkeel diff -f sites.yaml && echo "nothing to do"
  evenkeel diff -f cluster/ --prune Site --no-rendered
`;
