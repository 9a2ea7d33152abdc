/** Lines of a policy on their way through the pipeline: made, mended, held, led back, and undone with the policy. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRunCheck } from '../../agent/probe/check.ts';
import { createChecks } from '../../agent/wiring/checks.ts';
import { systemClock } from '../../common/clock.ts';
import { createLog } from '../../common/log.ts';
import { type Step, steps } from '../../protocol/messages.ts';
import type { Resource } from '../../protocol/resource.ts';
import { endOf, joined, spawnAgent } from '../support/agent-bundle.ts';
import { type Home, kernelOf, newFolder, openHome, type Parts } from '../support/home.ts';
import { until } from '../support/until.ts';
import { declared } from '../unit/render/declared.ts';
import { addresses, bringUp, ip, setting } from './network.ts';

const UNIT = 'quiet';
const VIP = '192.0.2.10/32';
const KEY = 'net.ipv4.conf.lo.arp_ignore';
const GOOD = [`address ${VIP} dev lo`, `sysctl ${KEY} 1`];

const CHECK = { name: 'kernel', type: 'kernel', interval: '1s', timeout: '2s', fall: 1, rise: 1 };

const policy = (spec: object = {}): Resource =>
  declared('Policy', UNIT, {
    role: 'web',
    gate: true,
    inputs: { sites: { kind: 'Site' } },
    files: [{ template: 'lvs/quiet.hbs', path: 'quiet.kernel' }],
    kernel: 'quiet.kernel',
    checks: [CHECK],
    ...spec,
  });
const lines = (...text: string[]): Resource =>
  declared('Template', 'lvs/quiet.hbs', { syntax: 'kernel', text: `${text.join('\n')}\n` });

const log = createLog('agent', 'silent');
const isMade = () => addresses('lo').includes(VIP) && setting(KEY) === '1';
const isGone = () => !addresses('lo').includes(VIP) && setting(KEY) === '0';

let home: Home;
let stopChecks: (() => Promise<void>) | undefined;
/** Whether the node's own checks have seen all as it should be. */
let isSeenRight = () => false;
/** What they told, in order. */
let told: string[] = [];
/** How long a pass takes from its tree being in place to asking the kernel. */
let slowness = 0;
beforeAll(bringUp);
beforeEach(() => {
  told = [];
  slowness = 0;
  writeFileSync('/proc/sys/net/ipv4/conf/lo/arp_ignore', '0');
});
afterEach(async () => {
  await stopChecks?.();
  stopChecks = undefined;
  await home.units().idle();
  await kernelOf(home.paths.state, systemClock).apply(UNIT, []);
  await home.end();
});

/** With the node's own checks, as the agent wires them. */
function checkedParts(folder: string): Parts {
  const kernel = kernelOf(join(folder, 'state'), systemClock);
  const runCheck = createRunCheck({
    clock: systemClock,
    resolve: (command) => [...command],
    differing: kernel.differingIn,
  });
  const failed = (unit: string) => home.units().put(unit);
  const checks = createChecks({
    runCheck,
    report: (said) => told.push(JSON.stringify(said)),
    failed,
    clock: systemClock,
    log,
  });
  stopChecks = checks.stop;
  isSeenRight = () => checks.current().every(({ state }) => state === 'up');
  const serving = (unit: string, resolved: Parameters<typeof checks.set>[1] | null) =>
    checks.set(unit, resolved ?? []);
  return {
    kernel,
    hooks: {
      beforeReload: () => systemClock.sleep(slowness),
      reloaded: () => undefined,
      died: () => undefined,
      serving,
    },
  };
}

async function start({ checked = false, parts = {} as Parts } = {}): Promise<void> {
  const folder = newFolder();
  home = await openHome({ folder, parts: checked ? checkedParts(folder) : parts });
}

const declare = (...resources: Resource[]) =>
  home.declare(declared('Cluster', 'cluster', { address: '127.0.0.1' }), home.node(bare), ...resources);
/** The policy declares none of the parameters of web servers. */
const bare = { parameters: {} };

const ended = async () => {
  const report = await home.settled(UNIT);
  return report;
};

describe('lines of a policy', () => {
  it('[3.4] are made by a pass, mended within two seconds of a hand, and told as drift', async () => {
    await start({ checked: true });
    await declare(policy(), lines(...GOOD));
    expect(await ended()).toMatchObject({ result: 'changed' });
    expect(isMade()).toBe(true);
    // What is wrong when it is first looked at, and is so before the next look, is found by the sweep.
    await until('the check has seen it right', async () => isSeenRight());

    ip('address', 'del', VIP, 'dev', 'lo');
    writeFileSync('/proc/sys/net/ipv4/conf/lo/arp_ignore', '0');
    const begun = performance.now();
    await until('both are right again', isMade, 5_000);
    expect(performance.now() - begun).toBeLessThan(4_000);
    await home.units().idle();
    const drift = home.reports.find(({ type }) => type === 'drift');
    expect(drift).toMatchObject({ unit: UNIT, action: 'repaired', diffs: [{ path: 'quiet.kernel' }] });
    expect(JSON.stringify(drift)).toContain(`-address ${VIP} dev lo`);
    expect(JSON.stringify(drift)).toContain(`+sysctl ${KEY} 0`);
    expect(home.unitReports(UNIT).at(-1)).toMatchObject({ result: 'corrected' });
  });

  it('[3.4] that a pass is about to make are not told as missing, so no pool loses a member by a change', async () => {
    await start({ checked: true });
    await declare(policy({ checks: [{ ...CHECK, timeout: '5s' }] }), lines(...GOOD));
    await ended();
    await until('the check has seen it right', async () => isSeenRight());
    told = [];
    slowness = 2_000;
    await home.declare(lines(...GOOD, 'address 192.0.2.14/32 dev lo'));
    expect(await ended()).toMatchObject({ result: 'changed' });
    expect(addresses('lo')).toContain('192.0.2.14/32');
    expect(isSeenRight()).toBe(true);
    expect(told.filter((said) => said.includes('down'))).toEqual([]);
  });

  it('[3.4] are mended by a sweep as well', async () => {
    await start();
    await declare(policy(), lines(...GOOD));
    await ended();
    ip('address', 'del', VIP, 'dev', 'lo');
    home.units().sweep();
    await until('it is there again', isMade);
  });

  it('[3.4] are undone when they leave the file, and when the policy goes', async () => {
    await start();
    await declare(policy(), lines(...GOOD));
    await ended();
    await home.declare(lines(GOOD[1] as string));
    await ended();
    expect(addresses('lo')).not.toContain(VIP);
    expect(setting(KEY)).toBe('1');
    await home.remove({ kind: 'Policy', name: UNIT });
    await until('all is as before', isGone);
  });

  it.each([
    ['audited', { mode: 'audit' }],
    ['held', { hold: { reason: 'looking', owner: 'ana' } }],
  ])('[3.4] are only looked at on a node that is %s', async (_, word) => {
    await start();
    await declare(policy(), lines(...GOOD));
    await ended();
    await home.declare(home.node({ ...bare, ...word }));
    await ended();
    ip('address', 'del', VIP, 'dev', 'lo');
    home.units().put(UNIT);
    await until('it is told', () => home.reports.some(({ type }) => type === 'drift'));
    await home.units().idle();
    expect(home.reports.find(({ type }) => type === 'drift')).toMatchObject({ action: 'reported' });
    expect(addresses('lo')).not.toContain(VIP);
  });

  it('[3.4] that no grammar knows hold the tree at validate, with line and word, and touch nothing', async () => {
    await start();
    await declare(policy(), lines(...GOOD));
    const { digest } = await ended();
    await home.declare(lines(...GOOD, 'adress 192.0.2.11/32 dev lo'));
    const report = await ended();
    expect(report).toMatchObject({ digest, result: 'held' });
    const said = JSON.stringify([report.error, report.held]);
    expect(said).toContain('quiet.kernel:3: ');
    expect(said).toContain('adress');
    expect(isMade()).toBe(true);
  });

  it('[3.4] that the kernel refuses lead the way back to what was good', async () => {
    await start();
    await declare(policy(), lines(...GOOD));
    const { digest } = await ended();
    await home.declare(lines(GOOD[1] as string, 'address 192.0.2.11/32 dev nothere0'));
    await until('it is led back', () => home.unitReports(UNIT).some(({ result }) => result === 'rolledBack'));
    const back = home.unitReports(UNIT).find(({ result }) => result === 'rolledBack');
    expect(back).toMatchObject({ step: 'reload', error: { code: 'kernel-refused' } });
    expect(back?.error?.message).toContain('address 192.0.2.11/32 dev nothere0');
    await home.units().idle();
    expect(home.unitReports(UNIT).at(-1)).toMatchObject({ digest });
    expect(isMade()).toBe(true);
  });

  it('[3.4] are refused by name where the agent is not root, or root does not allow them', async () => {
    const folder = newFolder();
    home = await openHome({ folder, parts: { kernel: kernelOf(join(folder, 'state'), systemClock, false) } });
    await declare(policy(), lines(...GOOD));
    const report = await ended();
    expect(report).toMatchObject({ result: 'failed', error: { code: 'executable-refused' } });
    expect(report.error?.message).toContain('run the agent as root');
    expect(isGone()).toBe(true);
  });

  it('[3.4] about what is not on the list of this box are refused', async () => {
    await start();
    await declare(policy(), lines('sysctl kernel.panic 1'));
    const report = await ended();
    expect(report).toMatchObject({ error: { code: 'executable-refused' } });
    expect(report.error?.message).toContain('kernel.sysctls in agent.json');
  });
});

describe.each(steps)('an agent that is killed at the step %s', (step: Step) => {
  it.each(['begin', 'end'] as const)(
    '[3.4] at its %s leaves nothing that the next one does not know',
    async (phase) => {
      await start();
      await declare(policy(), lines(...GOOD, 'address 192.0.2.12/32 dev lo'));
      await ended();
      await home.stop();
      await home.declareUnseen(lines(...GOOD, 'address 192.0.2.13/32 dev lo'));
      await joined(home.folder);
      const { signal } = await endOf(spawnAgent(home.folder, `${step}:${phase}`));
      expect(signal).toBe('SIGKILL');
      await home.resume();
      await ended();
      expect(isMade()).toBe(true);
      expect(addresses('lo')).toContain('192.0.2.13/32');
      expect(addresses('lo')).not.toContain('192.0.2.12/32');
      await home.remove({ kind: 'Policy', name: UNIT });
      await until('all is as before', isGone);
      expect(addresses('lo')).not.toContain('192.0.2.13/32');
    },
  );
});
