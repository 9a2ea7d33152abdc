/** `evenkeel up`: the sandbox, in the foreground or detached; says what it does while it does it. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../../common/clock.ts';
import { messageOf } from '../../protocol/errors.ts';
import { detach, type Relayed, tell } from '../sandbox/detach.ts';
import { findProduct, type Layout, layoutOf } from '../sandbox/layout.ts';
import { isAlive } from '../sandbox/processes.ts';
import { runSandbox } from '../sandbox/run.ts';
import { readProcesses, readSettings, readUp, type Up } from '../sandbox/settings.ts';
import { summaryOf } from '../sandbox/standing.ts';

interface UpOptions {
  detach: boolean;
  nodes: number;
  dir: string;
  /** This is the process that `--detach` leaves behind. */
  supervise: boolean;
}

export function addUp(program: Command): void {
  program
    .command('up')
    .description('run a whole cluster on this machine: manager, nodes with nginx, HAProxy, example sites')
    .option('--detach', 'return when all nodes serve', false)
    .option('--nodes <count>', 'web nodes; chosen at the first start', nodeCount, 3)
    .option('--dir <folder>', 'where all of it lies', 'var')
    .addOption(new Option('--supervise').default(false).hideHelp())
    .action(async (options: UpOptions, command: Command) => {
      // A command ends with its reader or at Ctrl-C; a cluster ends in order, and not with its audience.
      process.removeAllListeners('SIGINT');
      process.stdout.removeAllListeners('error').on('error', () => undefined);
      const isSaid = command.getOptionValueSource('nodes') === 'cli';
      process.exitCode = await up({ ...options, isSaid });
    });
}

function nodeCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 9) return count;
  throw new InvalidArgumentError('use a whole number from 1 to 9');
}

/** The exit code when it did not come up, and how a supervisor says that another one is at work. */
const FAILED = 1;
const TAKEN = 75;

const print = (line: string) => process.stdout.write(`${line}\n`);

type Hear = (message: Relayed) => void;

async function up(options: UpOptions & { isSaid: boolean }): Promise<number> {
  const layout = layoutOf(options.dir);
  if (options.supervise) return supervise(layout, options, relayed);
  sayHowManyItHas(layout, options);
  if (isUp(layout)) return sayItIsUp(layout);
  print(`bringing up a sandbox in ${layout.dir}`);
  const code = options.detach
    ? await detach({ layout, product: findProduct(), nodes: options.nodes }, print)
    : await supervise(layout, options, printed);
  if (code !== TAKEN) return code;
  print(`another up (process ${holderOf(layout)}) is at work there; this one ends`);
  return FAILED;
}

const printed: Hear = (message) => {
  if ('say' in message) print(message.say);
};
/** Standard output is the supervisor's log here; who started us hears the same. */
const relayed: Hear = (message) => {
  printed(message);
  tell(message);
};

/** The life of a sandbox in this process, until a signal ends it. */
async function supervise(layout: Layout, { nodes }: UpOptions, hear: Hear): Promise<number> {
  const say = (line: string) => hear({ say: line });
  const ending = endOnSignal();
  const onUp = (up: Up) => {
    for (const line of summaryOf(up, layout)) say(line);
    ending.stayWithoutStarter();
    hear({ up: true });
  };
  const code = await runSandbox({
    ...{ layout, nodes, say, onUp, product: findProduct(), clock: systemClock, signal: ending.signal },
  }).then(
    (end) => (end === 'taken' ? TAKEN : 0),
    (err: unknown) => {
      say(`it did not come up: ${messageOf(err)}`);
      return FAILED;
    },
  );
  hear({ ended: code });
  if (process.connected) process.disconnect();
  return code;
}

/** The first signal ends it in order, the second at once. Until it is up, it also ends with the one who started it. */
function endOnSignal(): { signal: AbortSignal; stayWithoutStarter(): void } {
  const controller = new AbortController();
  const end = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error('asked to end'));
  };
  const leftAlone = () => controller.abort(new Error('whoever started it is gone'));
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, end);
  process.once('disconnect', leftAlone);
  return { signal: controller.signal, stayWithoutStarter: () => process.off('disconnect', leftAlone) };
}

const holderOf = (layout: Layout): number | undefined => readProcesses(layout)?.supervisor.pid;

function isUp(layout: Layout): boolean {
  const supervisor = readProcesses(layout)?.supervisor;
  return supervisor !== undefined && isAlive(supervisor) && readUp(layout) !== undefined;
}

function sayItIsUp(layout: Layout): number {
  const up = readUp(layout);
  if (!up) return FAILED;
  print(`already up in ${layout.dir} (supervisor ${up.supervisor})`);
  for (const line of summaryOf(up, layout)) print(line);
  return 0;
}

/** A cluster keeps the nodes that it was made with. */
function sayHowManyItHas(
  layout: Layout,
  { nodes, isSaid }: Pick<UpOptions, 'nodes'> & { isSaid: boolean },
): void {
  const made = readSettings(layout)?.nodes;
  if (!isSaid || made === undefined || made === nodes) return;
  print(
    `--nodes ${nodes} does not count: this sandbox was made with ${made}; npm run down -- --purge, then up again`,
  );
}
