/** `evenkeel upgrade`: the nodes get the release of their manager, a few at a time, and none that is not well with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { sameRelease } from '../../common/own-release.ts';
import { milliseconds } from '../../common/units.ts';
import type { NodeView } from '../../protocol/views.ts';
import { Ended, UsageError } from '../failure.ts';
import { type Session, sessionOf } from '../session.ts';
import { isOurs, type Outcome, rollOut } from '../upgrade/rollout.ts';
import { isYes } from '../yes.ts';

interface UpgradeOptions {
  atOnce: number;
  drain: number;
  patience: number;
  dryRun: boolean;
  yes: boolean;
}

export function addUpgrade(program: Command): void {
  program
    .command('upgrade')
    .description('bring the nodes to the release of the manager: drained, replaced and judged, wave by wave')
    .argument('[nodes...]', 'only these; otherwise every node that runs another release')
    .option('--at-once <number>', 'nodes in a wave after the first, which is one', count, 1)
    .option('--drain <duration>', 'how long connections may take to end', duration, 60_000)
    .option('--patience <duration>', 'how long a node may take to be back and well', duration, 300_000)
    .option('--dry-run', 'say which nodes, and do nothing', false)
    .option('--yes', 'do not ask', false)
    .addHelpText('after', HELP)
    .action((names: string[], options: UpgradeOptions, command: Command) =>
      upgrade(names, options, sessionOf(command)),
    );
}

const HELP = `
First the manager, on its box:   sh install.sh upgrade     (of the new release)
then the nodes, from anywhere:   evenkeel upgrade

A node on which the release does not come up goes back by itself; one that is not well with it is taken back. Then the
rollout stops, and the others stay as they are. Ended in the middle, it goes on when it is run again.
`;

const MOST_AT_ONCE = 8;

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= MOST_AT_ONCE) return number;
  throw new InvalidArgumentError(`use a whole number from 1 to ${MOST_AT_ONCE}`);
}

function duration(text: string): number {
  if (/^[1-9][0-9]{0,3}(?:s|m|h)$/.test(text)) return milliseconds(text);
  throw new InvalidArgumentError('use a whole number and s, m or h, such as 90s');
}

async function upgrade(names: string[], options: UpgradeOptions, session: Session): Promise<void> {
  const { client } = session;
  const { release } = await client.call('state');
  if (release === '')
    throw new UsageError(
      'the manager runs from a checkout and has no release to give',
      'npm run release, and dist/release/install.sh upgrade on its box',
    );
  const { items } = await client.call('nodes');
  const todo = chosen(items, names, release);
  const drained = items.filter((node) => isOurs(node) && sameRelease(node.release, release));
  if (!options.dryRun)
    for (const { name } of drained) {
      await client.call('undrain', { params: { name } });
      session.note(`${name}: given back to its pools; an earlier run was ended before it could`);
    }
  if (todo.length === 0) {
    session.print({ release, done: [], failed: [], left: [] }, () => `every node runs ${release} already`);
    return;
  }
  session.note(planned(todo, release));
  if (options.dryRun) {
    session.print({ release, nodes: todo.map(({ name }) => name) }, () => 'nothing was done');
    return;
  }
  if (!options.yes && !(await isYes('Go on?', 'evenkeel upgrade --yes'))) throw new Ended('usage');
  const outcome = await rollOut({
    ...{ client, release, names: todo.map(({ name }) => name), most: options.atOnce },
    ...{ drain: options.drain, patience: options.patience },
    ...{ say: session.say, now: () => performance.now(), sleep: (ms) => sleep(ms) },
  });
  session.print({ release, ...outcome }, () => told(outcome, release));
  if (outcome.failed.length > 0) throw new Ended('unfinished');
}

/** @throws UsageError for a name that is no node, and for nodes that cannot be asked */
function chosen(items: readonly NodeView[], names: string[], release: string): NodeView[] {
  const unknown = names.find((name) => !items.some((node) => node.name === name));
  if (unknown !== undefined) throw new UsageError(`there is no node ${unknown}`, 'evenkeel nodes lists them');
  const wanted = items.filter(({ name }) => names.length === 0 || names.includes(name));
  const todo = wanted.filter((node) => !sameRelease(node.release, release));
  const away = todo.filter(({ online }) => !online).map(({ name }) => name);
  if (away.length > 0 && names.length > 0)
    throw new UsageError(`not connected: ${away.join(', ')}`, 'a node gets its release when it is back');
  const mute = todo.filter(({ online, release: now }) => online && now === '').map(({ name }) => name);
  if (mute.length > 0 && names.length > 0)
    throw new UsageError(
      `their agents run from a checkout, or are older than this verb: ${mute.join(', ')}`,
      'run install.sh upgrade on such a box once',
    );
  return todo.filter(({ online, release: now }) => online && now !== '');
}

const planned = (todo: readonly NodeView[], release: string): string =>
  [`to ${release}:`, ...todo.map(({ name, release: now }) => `  ${name}  from ${now || 'no release'}`)].join(
    '\n',
  );

function told({ done, failed, left }: Outcome, release: string): string {
  const lines = [
    ...(done.length > 0 ? [`${done.join(', ')}: ${release}`] : []),
    ...failed.map(({ node, why }) => `${node}: ${why}`),
    ...(left.length > 0 ? [`not begun: ${left.join(', ')}; evenkeel upgrade goes on when it is mended`] : []),
  ];
  return lines.join('\n');
}
