/** `evenkeel events`: what was declared and what happened, in one stream; -f follows it and resumes where it broke off. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { EventLine } from '../../protocol/views.ts';
import { clean } from '../clean.ts';
import { fileDiffs } from '../diffs.ts';
import type { Paint, Tone } from '../paint.ts';
import { type Session, sessionOf } from '../session.ts';
import { eventsIn } from '../sse.ts';
import { clockTime } from '../time.ts';

interface EventsOptions {
  follow: boolean;
  node?: string;
  type?: string;
  since?: string;
  limit: number;
  diffs: boolean;
}

export function addEvents(program: Command): void {
  program
    .command('events')
    .description('what was declared and what happened')
    .option('-f, --follow', 'go on until Ctrl-C', false)
    .option('--node <name>', 'only of this node')
    .option('--type <type>', 'only of this type, or of a family: drift means drift.repaired as well')
    .option('--since <id>', 'what came after the event with this id; without it the newest')
    .option('--limit <count>', 'at most so many', count, 50)
    .option('--no-diffs', 'leave out the diffs of files')
    .addHelpText('after', HELP)
    .action(async (options: EventsOptions, command: Command) => {
      const session = sessionOf(command);
      if (options.follow) return follow(options, session);
      const { follow: _, diffs: __, ...query } = options;
      const { items } = await session.client.call('events', { query });
      for (const line of items) printLine(line, options, session);
      if (items.length === 0) session.say('nothing happened');
    });
}

const HELP = `
-o json prints one line of JSON for each event; its id is what --since takes.

Examples:
  evenkeel events -f
  evenkeel events --type drift --node n1
  evenkeel events --type journal --limit 200 -o json | jq -r .subject
`;

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 1000) return number;
  throw new InvalidArgumentError('use a whole number from 1 to 1000');
}

const AGAIN_MS = 1000;
const MOST_TRIES = 60;

/** A stream that breaks off is taken up again after its last line, for a minute. */
async function follow({ follow: _, diffs, since, ...query }: EventsOptions, session: Session): Promise<void> {
  let last = since;
  for (let tries = 0; ; tries += 1) {
    try {
      const from = last === undefined ? {} : { since: last };
      const stream = await session.client.open('events', { query: { ...query, ...from, follow: true } });
      for await (const line of eventsIn(stream)) {
        tries = 0;
        last = line.id;
        printLine(line, { diffs }, session);
      }
    } catch (err) {
      const mayHeal =
        !(err instanceof EvenkeelError) || err.code === 'node-unreachable' || err.code === 'slow-reader';
      if (!mayHeal || last === undefined || tries >= MOST_TRIES) throw err;
      if (tries === 0) session.warn('the stream broke off; trying again');
    }
    await sleep(AGAIN_MS);
  }
}

const tones: Record<EventLine['severity'], Tone | undefined> = {
  info: undefined,
  warning: 'warn',
  error: 'bad',
};

function printLine(line: EventLine, { diffs }: { diffs: boolean }, { output, paint }: Session): void {
  const forms = {
    json: () => JSON.stringify(line),
    yaml: () => `---\n${stringify(line).trimEnd()}`,
    table: () => lineText(line, diffs, paint),
  };
  process.stdout.write(output === 'table' ? clean(`${forms.table()}\n`) : `${forms[output]()}\n`);
}

function lineText(
  { at, type, severity, message, node, data }: EventLine,
  diffs: boolean,
  paint: Paint,
): string {
  const where = node === undefined || message.startsWith(`${node} `) ? '' : `${node}: `;
  const head = `${paint('dim', clockTime(at))}  ${paint(tones[severity], type.padEnd(16))}  ${where}${message.replaceAll('\n', '\n    ')}`;
  const files = (data as { diffs?: Parameters<typeof fileDiffs>[0] } | undefined)?.diffs ?? [];
  return [head, ...(diffs ? fileDiffs(files, paint).map((diff) => diff.replace(/^/gm, '    ')) : [])].join(
    '\n',
  );
}
