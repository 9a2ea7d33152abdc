/** `evenkeel events`: what was declared and what happened, in one stream; -f follows it and resumes where it broke off. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { EvenkeelError } from '../../protocol/errors.ts';
import { type EventLine, eventTypes } from '../../protocol/views.ts';
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
  limit?: number;
  /** Undefined where nobody said it: then those of drift alone, which is all that there is to see of it. */
  diffs?: boolean;
}

const NEWEST = 50;
/** What is shown of the past before it is followed. */
const BEFORE_NEW = 10;

export function addEvents(program: Command): void {
  program
    .command('events')
    .description('what was declared and what happened')
    .option('-f, --follow', `the last ${BEFORE_NEW}, then what comes, until Ctrl-C`, false)
    .option('--node <name>', 'only of this node')
    .option(
      '--type <type>',
      'only of this type, or of a family: drift means drift.repaired as well',
      knownType,
    )
    .option('--since <id>', 'what came after the event with this id; without it the newest')
    .option('--limit <count>', `at most so many (default: ${NEWEST}, with -f ${BEFORE_NEW})`, count)
    .option(
      '--diffs',
      'with the diffs of all files that changed; by default only where a hand has changed them',
    )
    .option('--no-diffs', 'without any diffs')
    .addHelpText('after', HELP)
    .action(async (options: EventsOptions, command: Command) => {
      const session = sessionOf(command);
      if (options.node !== undefined) await refuseStranger(options.node, session);
      if (options.follow) return follow(options, session);
      const { follow: _, diffs: __, limit = NEWEST, ...query } = options;
      const { items } = await session.client.call('events', { query: { ...query, limit } });
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

/** A misspelt type would look as if nothing had happened. */
function knownType(text: string): string {
  const families = [...new Set(eventTypes.map((type) => type.replace(/\..*/, '')))];
  if (eventTypes.includes(text) || families.includes(text)) return text;
  const family = text.replace(/\..*/, '');
  const near = eventTypes.filter((type) => type.startsWith(`${family}.`));
  throw new InvalidArgumentError(`use one of ${(near.length > 0 ? near : families).join(', ')}`);
}

/** A node that was removed is still found by what happened to it. */
async function refuseStranger(node: string, { client }: Session): Promise<void> {
  const { items: nodes } = await client.call('nodes');
  if (nodes.some(({ name }) => name === node)) return;
  const { items } = await client.call('events', { query: { node, limit: 1 } });
  if (items.length > 0) return;
  const names = nodes.map(({ name }) => name).join(', ') || 'none';
  throw new EvenkeelError('not-found', `there is no node ${node}, and never was; there are: ${names}`);
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 1000) return number;
  throw new InvalidArgumentError('use a whole number from 1 to 1000');
}

const PAGE = 1000;
const AGAIN_MS = 1000;
const MOST_TRIES = 60;

/** The past first, and a line where it ends. A stream that breaks off is taken up again after its last line, for a minute. */
async function follow({ follow: _, limit, ...options }: EventsOptions, session: Session): Promise<void> {
  const { diffs: __, since, ...filter } = options;
  let last = await past({ ...filter, since, limit }, session, (line) => printLine(line, options, session));
  session.note('--- what is above was before; what follows happens now (Ctrl-C ends it) ---');
  for (let tries = 0; ; tries += 1) {
    try {
      const stream = await session.client.open('events', { query: { ...filter, since: last, follow: true } });
      for await (const line of eventsIn(stream)) {
        tries = 0;
        last = line.id;
        printLine(line, options, session);
      }
    } catch (err) {
      const mayHeal =
        !(err instanceof EvenkeelError) || err.code === 'node-unreachable' || err.code === 'slow-reader';
      if (!mayHeal || tries >= MOST_TRIES) throw err;
      if (tries === 0) session.warn('the stream broke off; trying again');
    }
    await sleep(AGAIN_MS);
  }
}

/** Of what was, the newest; after an event that was named, all of it. Says where the present begins. */
async function past(
  { since, limit = BEFORE_NEW, ...query }: Omit<EventsOptions, 'follow' | 'diffs'>,
  { client }: Session,
  print: (line: EventLine) => void,
): Promise<string> {
  let page = await client.call('events', { query: { ...query, limit, ...(since && { since }) } });
  page.items.forEach(print);
  while (since !== undefined && page.items.length > 0) {
    page = await client.call('events', { query: { ...query, limit: PAGE, since: page.next } });
    page.items.forEach(print);
  }
  return page.next;
}

const tones: Record<EventLine['severity'], Tone | undefined> = {
  info: undefined,
  warning: 'warn',
  error: 'bad',
};

function printLine(line: EventLine, { diffs }: { diffs?: boolean }, { output, paint }: Session): void {
  const forms = {
    json: () => JSON.stringify(line),
    yaml: () => `---\n${stringify(line).trimEnd()}`,
    table: () => lineText(line, diffs, paint),
  };
  process.stdout.write(output === 'table' ? clean(`${forms.table()}\n`) : `${forms[output]()}\n`);
}

function lineText(
  { at, type, severity, message, node, data }: EventLine,
  diffs: boolean | undefined,
  paint: Paint,
): string {
  const isNamed = node === undefined || message.split(/[\s,:]+/).includes(node);
  const where = isNamed ? '' : `${node}: `;
  const head = `${paint('dim', clockTime(at))}  ${paint(tones[severity], type.padEnd(18))}  ${where}${message.replaceAll('\n', '\n    ')}`;
  const files = (data as { diffs?: Parameters<typeof fileDiffs>[0] } | undefined)?.diffs ?? [];
  const withDiffs = diffs ?? type.startsWith('drift.');
  return [
    head,
    ...(withDiffs ? fileDiffs(files, paint).map((diff) => diff.replace(/^/gm, '    ')) : []),
  ].join('\n');
}
