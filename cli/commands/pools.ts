/** `evenkeel pools`: who takes the traffic of each virtual service: what is wanted, and what the balancers really have. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { milliseconds } from '../../common/units.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { PoolView, TrafficView } from '../../protocol/views.ts';
import { UsageError } from '../failure.ts';
import { type Session, sessionOf } from '../session.ts';
import type { Cell } from '../table.ts';
import { clockTime, withLocalTimes } from '../time.ts';
import { historyTable, memberLines, memberTable } from './pool-traffic.ts';

/** A terminal is drawn anew every second; a pipe gets a line for each member as often as balancers are read. */
const REDRAW_MS = 1000;
const LINES_MS = 10_000;

interface Options {
  watch: boolean;
  history?: number;
}

export function addPools(program: Command): void {
  program
    .command('pools')
    .argument('[service]', 'only this one')
    .description('virtual services, who is in their pools, and why')
    .option('--watch', 'what their members carry, again and again, until Ctrl-C', false)
    .option('--history <duration>', 'what the service carried in the last 30m, 6h or 30d', parseDuration)
    .addHelpText('after', HELP)
    .action(async (service: string | undefined, { watch, history }: Options, command: Command) => {
      const session = sessionOf(command);
      if (history !== undefined) return showHistory(session, service, history);
      return watch ? watchPools(session, service) : show(session, service);
    });
}

const HELP = `
WANTED is what reports and the operator say; the columns after it are what each director reads back from its balancer.
With --watch, CONN/S and bytes a second are of the last ten seconds. Behind direct routing answers do not pass the
balancer: OUT/S is 0.
`;

async function poolsOf({ client }: Session, service: string | undefined): Promise<PoolView[]> {
  const { items } = await client.call('pools');
  if (service === undefined) return items;
  const found = items.filter((pool) => pool.service === service);
  if (found.length > 0) return found;
  const known = items.map((pool) => pool.service).join(', ');
  throw new EvenkeelError(
    'not-found',
    `there is no VirtualService ${service}; there ${known === '' ? 'is none' : `are ${known}`}`,
  );
}

async function show(session: Session, service: string | undefined): Promise<void> {
  const pools = await poolsOf(session, service);
  session.print(pools, () =>
    pools.length === 0
      ? 'there is no VirtualService'
      : pools.map((pool) => poolText(pool, session)).join('\n\n'),
  );
}

/** Ctrl-C is how it ends, and no failure. */
async function watchPools(session: Session, service: string | undefined): Promise<void> {
  const ended = new AbortController();
  process.once('SIGINT', () => ended.abort());
  const draws = session.output === 'table' && process.stdout.isTTY;
  while (!ended.signal.aborted) {
    const pools = await poolsOf(session, service);
    const { items } = await session.client.call('traffic');
    if (draws) process.stdout.write('\u001b[H\u001b[2J');
    const traffic = items.filter((row) => service === undefined || row.service === service);
    const now = clockTime(new Date().toISOString());
    const text = draws
      ? () => pools.map((pool) => trafficText(pool, traffic, session)).join('\n\n')
      : () => pools.flatMap((pool) => memberLines(pool, traffic, now)).join('\n');
    session.print({ pools, traffic }, pools.length === 0 ? () => 'there is no VirtualService' : text);
    await sleep(draws ? REDRAW_MS : LINES_MS, undefined, { signal: ended.signal }).catch(() => undefined);
  }
}

function trafficText(pool: PoolView, traffic: TrafficView[], session: Session): string {
  const { headers, rows } = memberTable(pool, traffic);
  return [headOf(pool, session), session.table(headers, rows).replace(/^/gm, '  ')].join('\n');
}

async function showHistory(session: Session, service: string | undefined, ms: number): Promise<void> {
  if (service === undefined)
    throw new UsageError('--history is of one service', 'say which: evenkeel pools SERVICE --history 6h');
  const from = new Date(Date.now() - ms).toISOString();
  const view = await session.client.call('history', { params: { service }, query: { from, member: '' } });
  const { headers, rows } = historyTable(view);
  session.print(view, () =>
    rows.length === 0 ? `nothing is known of what ${service} carried then` : session.table(headers, rows),
  );
}

function parseDuration(text: string): number {
  if (!/^[1-9][0-9]{0,5}[smhd]$/.test(text))
    throw new InvalidArgumentError('use a duration such as 30m, 6h or 30d');
  return milliseconds(text);
}

function headOf({ service, vip, ports, fallback, probesOnly }: PoolView, { paint }: Session): string {
  const notes = [
    ...(fallback ? [paint('bad', 'no member is left: visitors get the fallback, where there is one')] : []),
    ...(probesOnly ? [paint('warn', "only the directors' own probes count just now")] : []),
  ];
  return `${paint('bold', service)}  ${vip}:${ports.join(',')}${notes.map((note) => `  ${note}`).join('')}`;
}

function poolText(pool: PoolView, session: Session): string {
  const { members } = pool;
  const head = headOf(pool, session);
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
