/** The agent's process: arguments in, exit code out. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../common/clock.ts';
import { runUntilSignal } from '../common/lifecycle.ts';
import { createLog } from '../common/log.ts';
import { VERSION } from '../common/version.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { startAgent } from './agent.ts';
import { readConfig, writeConfig } from './config.ts';
import { factsOf } from './facts.ts';
import { join as joinCluster, parseJoinString } from './identity.ts';

interface JoinOptions {
  name: string;
  address: string;
  state: string;
  run: string;
  log: string;
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
  .action(async (string: string, { name, address, state, run, log }: JoinOptions) => {
    const { fingerprint } = parseJoinString(string);
    process.stdout.write(`the manager's authority is ${fingerprint}\n`);
    const paths = { state, run, log };
    await writeConfig(state, { address, paths });
    const facts = await factsOf({ address, paths });
    const { node } = await joinCluster(string, { name, facts, folder: join(state, 'identity') });
    process.stdout.write(`this box is now node ${node}\n`);
  });

program
  .command('run')
  .description('keep this box as the cluster wants it, until SIGTERM')
  .option('--state <folder>', 'the folder that join made', '/var/lib/evenkeel')
  .action(async ({ state }: { state: string }) => {
    const config = await readConfig(state);
    const log = createLog('agent', config.logLevel);
    await runUntilSignal(await startAgent({ config, clock: systemClock, log }), log);
  });

/** Every failure ends here: one line for people, all problems below it. */
program.parseAsync().catch((err: unknown) => {
  const coded = err instanceof EvenkeelError ? err : undefined;
  process.stderr.write(`agent: ${coded ? `${coded.code}: ` : ''}${messageOf(err)}\n`);
  for (const { path, message, fix } of coded?.problems ?? [])
    process.stderr.write(`  ${path}: ${message}${fix ? `; ${fix}` : ''}\n`);
  process.exit(1);
});
