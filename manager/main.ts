/** The manager's process: arguments in, exit code out. */
import { join } from 'node:path';
import { Command } from 'commander';
import { stringify } from 'yaml';
import { systemClock } from '../common/clock.ts';
import { runUntilSignal } from '../common/lifecycle.ts';
import { createLog } from '../common/log.ts';
import { ownRelease } from '../common/own-release.ts';
import { createServiceManager } from '../common/service-manager.ts';
import { VERSION } from '../common/version.ts';
import { EvenkeelError, messageOf } from '../protocol/errors.ts';
import { readConfig } from './config.ts';
import { startManager } from './manager.ts';
import { type InitOptions, init } from './setup/init.ts';
import { giveToOwner } from './setup/owner.ts';
import { restore } from './setup/restore.ts';
import { type StartOverRequest, startOver } from './setup/start-over.ts';
import { undoUpgrade } from './setup/undo-upgrade.ts';
import { loadShipped } from './shipped.ts';

const port = (value: string): number => {
  const number = Number(value);
  if (Number.isInteger(number) && number > 0 && number < 65_536) return number;
  throw new EvenkeelError('bad-request', `${value} is not a port`);
};

const program = new Command('evenkeel-manager').version(VERSION).description('The Cluster Manager');

program
  .command('init')
  .description(
    'make the authority, the keys and an empty store with the shipped policies; prints an admin token once',
  )
  .requiredOption('--data <folder>', 'where the manager keeps everything')
  .requiredOption('--content <folder>', 'where the shipped policies/ and templates/ are')
  .requiredOption('--address <address>', 'the cluster address')
  .option('--balancer <driver>', 'the driver of the balancer role', 'lvs')
  .option('--api-port <port>', 'HTTPS for people', port, 8443)
  .option('--machines-port <port>', 'mutual TLS for nodes', port, 2400)
  .option('--broker-port <port>', 'MQTT over TLS', port, 8883)
  .option('--fallback-port <port>', 'the fallback page', port, 2480)
  .option('--token-file <file>', 'write the admin token there instead of printing it')
  .action(async (options: InitOptions) => {
    const { token, ...rest } = await init(options, systemClock);
    const shown = options.tokenFile === undefined ? { token, ...rest } : rest;
    process.stdout.write(`${JSON.stringify(shown)}\n`);
  });

program
  .command('run')
  .description('serve until SIGTERM')
  .requiredOption('--data <folder>', 'the folder that init made')
  .option('--release <folder>', 'the release that this manager belongs to, for nodes to install from')
  .action(async ({ data, release }: { data: string; release?: string }) => {
    const config = await readConfig(data);
    const log = createLog('manager', config.logLevel);
    const service = createServiceManager(process.env, { clock: systemClock, log });
    await runUntilSignal(await startManager({ data, config, release, clock: systemClock, log }), {
      log,
      service,
    });
  });

program
  .command('restore')
  .description('put a backup in place of the store and keys; the manager must be stopped, and starts held')
  .argument('<file>', 'what `evenkeel backup` wrote')
  .requiredOption('--data <folder>', 'the folder of the manager')
  .requiredOption('--passphrase-file <file>', 'holds the passphrase of the backup')
  .action(async (file: string, options: { data: string; passphraseFile: string }) => {
    const { epoch, revision, reason, aside } = await restore({
      ...{ file, ...options, clock: systemClock },
    }).finally(() => giveToOwner(options.data));
    process.stdout.write(`${JSON.stringify({ epoch, revision, held: reason, aside })}\n`);
  });

program
  .command('content')
  .description(
    'print the policies and templates of this release, for `evenkeel diff -f -` and `evenkeel apply -f -`',
  )
  .option(
    '--content <folder>',
    'where policies/ and templates/ are',
    join(ownRelease()?.folder ?? '.', 'content'),
  )
  .action(async ({ content }: { content: string }) => {
    for (const { kind, name, spec } of await loadShipped(content))
      process.stdout.write(`---\n${stringify({ kind, name, spec })}`);
  });

program
  .command('undo-upgrade')
  .description('put back the store of before a newer version changed it; the manager must be stopped')
  .requiredOption('--data <folder>', 'the folder of the manager')
  .action(async ({ data }: { data: string }) => {
    const undone = await undoUpgrade(data, systemClock).finally(() => giveToOwner(data));
    process.stdout.write(`${JSON.stringify(undone)}\n`);
  });

program
  .command('start-over')
  .description(
    'the store is lost and there is no backup: make an empty one under the same keys; prints a new admin token once',
  )
  .requiredOption('--data <folder>', 'the folder of the manager, which must be stopped')
  .requiredOption('--content <folder>', 'where the shipped policies/ and templates/ are')
  .option('--balancer <driver>', 'the driver of the balancer role', 'lvs')
  .action(async (request: StartOverRequest) => {
    const begun = await startOver(request, systemClock).finally(() => giveToOwner(request.data));
    process.stdout.write(`${JSON.stringify(begun)}\n`);
  });

/** Every failure ends here: one line for people, all problems below it. */
program.parseAsync().catch((err: unknown) => {
  const coded = err instanceof EvenkeelError ? err : undefined;
  process.stderr.write(`manager: ${coded ? `${coded.code}: ` : ''}${messageOf(err)}\n`);
  for (const { path, message, fix } of coded?.problems ?? [])
    process.stderr.write(`  ${path}: ${message}${fix ? `; ${fix}` : ''}\n`);
  process.exit(1);
});
