/** The agent's process: arguments in, exit code out. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../common/clock.ts';
import { runUntilSignal } from '../common/lifecycle.ts';
import { createLog } from '../common/log.ts';
import { createServiceManager } from '../common/service-manager.ts';
import { milliseconds } from '../common/units.ts';
import { VERSION } from '../common/version.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { startBox } from './box.ts';
import { type Config, readConfig, writeConfig } from './config.ts';
import { factsOf } from './facts.ts';
import { confirm } from './identity/confirm.ts';
import { patiently } from './identity/patience.ts';
import { join as joinCluster, ownKey, parseJoinString } from './identity.ts';
import { ownAddressTo } from './own-address.ts';
import { createBox } from './preflight/box.ts';
import { addPreflight } from './preflight/command.ts';
import { lookOf } from './preflight/look.ts';

interface JoinOptions {
  name: string;
  address: string;
  state: string;
  run: string;
  log: string;
  service?: Config['service'];
  wait: number;
  yes: boolean;
}

const program = new Command('evenkeel-agent').version(VERSION).description('The agent of one box');

program
  .command('join')
  .description('make this box a node of the cluster that the join string names')
  .argument('<string>', 'what `evenkeel node invite` printed')
  .requiredOption('--address <address>', 'where balancers and other nodes reach this box')
  .option('--name <name>', 'the name of the node', hostname().toLowerCase())
  .option('--state <folder>', 'where the agent keeps its identity and its trees', '/var/lib/evenkeel')
  .option('--run <folder>', 'sockets and pid files', '/run/evenkeel')
  .option('--log <folder>', 'logs of the daemons', '/var/log/evenkeel')
  .addOption(
    new Option('--service <driver>', 'what starts and stops the daemons, unless agent.json says it').choices([
      'direct',
      'systemd',
    ]),
  )
  .option(
    '--wait <duration>',
    'how long to wait for an operator who has to accept the box',
    duration,
    600_000,
  )
  .option('--yes', 'the fingerprint of the manager is the right one: do not ask', false)
  .action(joinBox);

addPreflight(program, { parse: parseJoinString, factsOf });

program
  .command('address')
  .description('print the address by which this box reaches the manager that the join string names')
  .argument('<string>', 'what `evenkeel node invite` printed')
  .action(async (string: string) => {
    process.stdout.write(`${await ownAddressTo(parseJoinString(string))}\n`);
  });

program
  .command('run')
  .description('keep this box as the cluster wants it, until SIGTERM')
  .option('--state <folder>', 'the folder that join made', '/var/lib/evenkeel')
  .action(async ({ state }: { state: string }) => {
    const config = await readConfig(state);
    const log = createLog('agent', config.logLevel);
    const service = createServiceManager(process.env, { clock: systemClock, log });
    const failed = () => process.exit(1);
    await runUntilSignal(await startBox({ config, clock: systemClock, log, failed }), { log, service });
  });

async function joinBox(string: string, options: JoinOptions): Promise<void> {
  const { name, address, state, run, log, service, wait, yes } = options;
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const folder = join(state, 'identity');
  const invitation = parseJoinString(string);
  const key = await ownKey(folder);
  const manager = { at: `${invitation.address}:${invitation.port}`, fingerprint: invitation.fingerprint };
  await confirm({ name, manager, key }, yes, { input: process.stdin, output: process.stdout });
  const paths = { state, run, log };
  await writeConfig(state, { address, paths, ...(service && { service }) });
  const facts = await factsOf({ address, paths, box: await lookOf(createBox()) });
  const ask = () => joinCluster(string, { name, facts, folder });
  const { node } = await patiently(ask, { wait, say, clock: systemClock });
  say(`this box is now node ${node}`);
}

function duration(text: string): number {
  if (/^[0-9]{1,4}(?:s|m|h)$/.test(text)) return milliseconds(text);
  throw new InvalidArgumentError('use a whole number and s, m or h, such as 10m; 0s does not wait');
}

/** Every failure ends here: one line for people, all problems below it. */
program.parseAsync().catch((err: unknown) => {
  const coded = err instanceof EvenkeelError ? err : undefined;
  process.stderr.write(`agent: ${coded ? `${coded.code}: ` : ''}${messageOf(err)}\n`);
  for (const { path, message, fix } of coded?.problems ?? [])
    process.stderr.write(`  ${path}: ${message}${fix ? `; ${fix}` : ''}\n`);
  process.exit(1);
});
