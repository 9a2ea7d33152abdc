/** `evenkeel pools`: who takes the traffic of each virtual service: what is wanted, and what the balancers really have. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { PoolView } from '../../protocol/views.ts';
import { type Session, sessionOf } from '../session.ts';
import type { Cell } from '../table.ts';
import { withLocalTimes } from '../time.ts';

const EVERY_MS = 1000;

export function addPools(program: Command): void {
  program
    .command('pools')
    .description('virtual services, who is in their pools, and why')
    .option('--watch', 'again and again, until Ctrl-C', false)
    .addHelpText('after', HELP)
    .action(async ({ watch }: { watch: boolean }, command: Command) => {
      const session = sessionOf(command);
      await show(session, false);
      while (watch) {
        await sleep(EVERY_MS);
        await show(session, true);
      }
    });
}

const HELP = `
WANTED is what reports and the operator say; the columns after it are what each director reads back from its balancer.
`;

async function show(session: Session, again: boolean): Promise<void> {
  const { items } = await session.client.call('pools');
  if (again && session.output === 'table' && process.stdout.isTTY) process.stdout.write('\u001b[H\u001b[2J');
  session.print(items, () =>
    items.length === 0
      ? 'there is no VirtualService'
      : items.map((pool) => poolText(pool, session)).join('\n\n'),
  );
}

function poolText(
  { service, vip, ports, fallback, probesOnly, members }: PoolView,
  session: Session,
): string {
  const { paint } = session;
  const notes = [
    ...(fallback ? [paint('bad', 'the fallback serves: no member is left')] : []),
    ...(probesOnly ? [paint('warn', "only the directors' own probes count just now")] : []),
  ];
  const head = `${paint('bold', service)}  ${vip}:${ports.join(',')}${notes.map((note) => `  ${note}`).join('')}`;
  if (members.length === 0) return `${head}\n  no node has the role of this pool`;
  const rows = members.flatMap((member) => memberRows(member));
  const headers = ['MEMBER', 'WANTED', 'WEIGHT', 'DIRECTOR', 'HAS', 'WEIGHT', 'CONNECTIONS', 'PROBE', 'WHY'];
  return [head, session.table(headers, rows).replace(/^/gm, '  ')].join('\n');
}

/** A line for each director; one where there is none yet. */
function memberRows({ node, wanted, actual }: PoolView['members'][number]): Cell[][] {
  const word = wanted.operator === 'none' ? wanted.opinion : wanted.operator;
  const wantedCells: Cell[] = [node, { text: word, tone: toneOf(word) }, String(wanted.weight)];
  const why = (detail: string) =>
    withLocalTimes([...wanted.reasons, ...(detail === '' ? [] : [detail])].join('; '));
  if (actual.length === 0) return [[...wantedCells, '-', '-', '-', '-', '-', why('')]];
  return actual.map(({ director, state, weight, connections, probe, detail }) => [
    ...wantedCells,
    director,
    { text: state, tone: toneOf(state) },
    String(weight),
    String(connections),
    { text: probe, tone: toneOf(probe) },
    why(detail),
  ]);
}

const toneOf = (word: string) =>
  word === 'up' ? 'good' : word === 'down' || word === 'absent' ? 'bad' : 'warn';
