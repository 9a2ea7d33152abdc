/** The check systemd: whether it is the init of the box, answers, and is as new as the units of daemons need it. */
import { fail, pass, skip, warn } from '../../../common/findings.ts';
import type { Finding } from '../../../protocol/preflight.ts';
import type { Check } from '../asked.ts';

/** It tells one start of a daemon from the next since then; and all that units say is known since then (its NEWS). */
const OLDEST = 232;
const WHOLE = 246;

const WHY = 'it is what starts and stops the daemons of this node';
const OTHERWISE = 'or set "service": "direct" in agent.json, and the agent does it itself';
const starting = {
  why: 'a daemon may wait for what hangs: the network, or a mount of the distribution',
  fix: 'see what it waits for',
  command: 'systemctl list-jobs',
};

/** What `is-system-running` says that is not well, and what to do about it. One unit that failed is `degraded`: that is well. */
const states: Readonly<Record<string, (found: string) => Finding>> = {
  running: (found) => pass('systemd', found),
  degraded: (found) => pass('systemd', found),
  initializing: (found) => warn('systemd', found, starting),
  starting: (found) => warn('systemd', found, starting),
  stopping: (found) =>
    warn('systemd', found, { why: 'it starts nothing any more', fix: 'look again when the box has booted' }),
  maintenance: (found) =>
    fail('systemd', found, {
      ...{ why: WHY, fix: 'mend what has brought the box into its rescue mode, and go on' },
      command: 'systemctl default',
    }),
};

export const systemd: Check = async ({ box, service }) => {
  if (service !== 'systemd') return skip('systemd', 'the agent itself starts the daemons of this box');
  const first = (await box.read('/proc/1/comm'))?.trim() ?? 'unknown';
  if (first !== 'systemd')
    return fail('systemd', `process 1 is ${first}`, {
      ...{ why: WHY, fix: `boot the box with systemd, ${OTHERWISE}` },
    });
  // `systemd 252 (252.22-1~deb12u1)`
  const said = await box.run(['systemctl', '--version']);
  const version = Number(/^systemd (\d+)/.exec(said?.output ?? '')?.[1] ?? 0);
  if (version < OLDEST)
    return fail('systemd', `systemd ${version || 'of an unknown version'}, and units need ${OLDEST}`, {
      ...{ why: WHY, fix: `use a distribution with a newer one, ${OTHERWISE}` },
    });
  const running = await box.run(['systemctl', 'is-system-running']);
  const state = running?.status === null ? undefined : running?.output.trim().split('\n')[0];
  const judge = states[state ?? ''];
  if (judge === undefined) return deaf(state);
  const finding = judge(`systemd ${version} is ${state}`);
  return finding.state === 'pass' && version < WHOLE ? old(version) : finding;
};

const deaf = (state: string | undefined): Finding =>
  fail('systemd', state ? `systemd says of itself: ${state}` : 'systemd does not answer', {
    why: WHY,
    fix: 'see what keeps it busy; a box on which it never answers again needs a reboot',
    command: 'journalctl -b _PID=1 -n 50',
  });

const old = (version: number): Finding =>
  warn('systemd', `systemd ${version} is older than ${WHOLE}`, {
    why: 'a daemon that does not get ready in time is ended more slowly',
    fix: 'nothing needs to be done; a newer release of the distribution has a newer one',
  });
