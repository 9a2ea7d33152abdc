/** `evenkeel schedules`: what is done by the calendar, when it is due next, and what became of it. */
import type { Command } from 'commander';
import { UsageError } from '../failure.ts';
import { countsText, runsTable } from '../queue-look.ts';
import { schedulesText } from '../schedule-look.ts';
import { type Session, sessionOf } from '../session.ts';

interface Options {
  now: boolean;
  limit: number;
}

export function addSchedules(program: Command): void {
  program
    .command('schedules')
    .description('what is done by the calendar, and when it is due next; one schedule with its runs')
    .argument('[name]')
    .option('--now', 'begin its run now, as if it was due', false)
    .option('--limit <count>', 'so many of its runs', Number, 20)
    .addHelpText('after', HELP)
    .action(async (name: string | undefined, { now, limit }: Options, command: Command) => {
      const session = sessionOf(command);
      if (name === undefined) return all(now, session);
      return now ? run(name, session) : one(name, limit, session);
    });
}

const HELP = `
A schedule is declared, changed and suspended as everything is: by evenkeel apply; evenkeel explain schedule says how.

Examples:
  evenkeel schedules
  evenkeel schedules nightly-updates
  evenkeel schedules nightly-updates --now
`;

async function all(now: boolean, session: Session): Promise<void> {
  if (now) throw new UsageError('which schedule is to begin now?', 'evenkeel schedules NAME --now');
  const { items } = await session.client.call('schedules');
  session.print(items, () =>
    items.length === 0
      ? 'there is no schedule: evenkeel explain schedule says how one is declared'
      : schedulesText(items, session),
  );
}

async function one(name: string, limit: number, session: Session): Promise<void> {
  const found = await session.client.call('schedule', { params: { name }, query: { limit } });
  session.print(found, () =>
    [
      schedulesText([found.schedule], session),
      '',
      found.runs.length === 0 ? 'it has not begun any run yet' : runsTable(found.runs, session),
    ].join('\n'),
  );
}

async function run(name: string, session: Session): Promise<void> {
  const begun = await session.client.call('scheduleRun', { params: { name } });
  session.print(begun, () =>
    [
      `${begun.action} on ${begun.on}: ${countsText(begun)}; run ${begun.run}`,
      `evenkeel runs ${begun.run} shows it, with --watch what it says`,
    ].join('\n'),
  );
}
