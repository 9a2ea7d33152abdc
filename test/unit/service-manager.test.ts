/** What systemd hears of a process of ours: its words by a real systemd-notify, to a socket that stands for systemd. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLog } from '../../common/log.ts';
import { createServiceManager } from '../../common/service-manager.ts';
import { createManualClock } from '../support/clock.ts';
import { until } from '../support/until.ts';

/** Node has no such sockets, and perl is on every Debian. What it does not take of a message, the kernel closes. */
const LISTENER = `
use Socket; $| = 1;
socket(my $listener, AF_UNIX, SOCK_DGRAM, 0) or die $!;
bind($listener, sockaddr_un($ARGV[0])) or die $!;
print "ready\\n";
while (defined recv($listener, my $text, 4096, 0)) {
  open(my $out, '>>', $ARGV[1]) or die $!; print $out "$text\\n"; close $out;
}
`;

let folder: string;
let listener: ChildProcess;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'notify-'));
  listener = spawn('perl', ['-e', LISTENER, join(folder, 'socket'), join(folder, 'heard')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (listener.stdout) await once(listener.stdout, 'data');
});
afterEach(() => {
  listener.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const heard = () => {
  try {
    return readFileSync(join(folder, 'heard'), 'utf8');
  } catch {
    return ''; // it has heard nothing yet
  }
};

it('[4.1] systemd hears that a process serves, that it lives as often as it asks, and that it stops', async () => {
  const clock = createManualClock();
  const env = { ...process.env, NOTIFY_SOCKET: join(folder, 'socket'), WATCHDOG_USEC: '60000000' };
  const leave = await createServiceManager(env, { clock, log: createLog('test', 'silent') }).ready();
  await until('it hears that it serves', () => heard().includes('READY=1'));
  expect(heard()).not.toContain('WATCHDOG=1');
  await clock.advance(20_000);
  await until('it hears that it lives', () => heard().includes('WATCHDOG=1'));
  await leave();
  expect(heard()).toContain('STOPPING=1');
});

it('[4.1] a process that systemd has not started says nothing to anybody', async () => {
  const clock = createManualClock();
  const leave = await createServiceManager({}, { clock, log: createLog('test', 'silent') }).ready();
  await clock.advance(60_000);
  await leave();
  expect(heard()).toBe('');
});
