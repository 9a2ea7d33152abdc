/** SIGKILL at every step of the pipeline: afterwards nginx itself serves what is wanted, and nothing acknowledged is lost. */
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { type Step, steps } from '../../protocol/messages.ts';
import { endOf, joined, spawnAgent } from '../support/agent-bundle.ts';
import { type Home, siteOf, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

const served = async (name: string) => (await home.get(name).catch(() => null))?.body === name;

/** Runs the agent's bundle until it has killed itself. */
async function dieAt(step: Step, phase: 'begin' | 'end', nth = 1): Promise<void> {
  await joined(home.folder);
  const { signal } = await endOf(spawnAgent(home.folder, `${step}:${phase}:${nth}`));
  expect(signal).toBe('SIGKILL');
}

const lastReport = () => home.unitReports().at(-1);

describe.each(steps)('an agent that is killed at the step %s', (step) => {
  it.each(['begin', 'end'] as const)(
    '[2 bad input] leaves the old tree or the new one at its %s, and the next agent ends what it began',
    async (phase) => {
      home = await webHome();
      await home.declare(await siteOf(home, 'a.example'), await siteOf(home, 'b.example'));
      await home.settled();
      const pid = home.pid();
      await home.stop();
      await home.declareUnseen(
        await siteOf(home, 'a.example', { aliases: ['alias.example'] }),
        await siteOf(home, 'c.example'),
      );
      await dieAt(step, phase);
      expect(await served('b.example')).toBe(true);

      home.reports.length = 0;
      await home.resume();
      const report = await home.settled();
      expect(report.held).toEqual([]);
      expect(['changed', 'unchanged', 'corrected']).toContain(report.result);
      expect(await home.shown()).toBe(report.digest);
      const [tree] = home.filesWith('alias.example');
      expect(tree).toBeDefined();
      await until(
        'all is served',
        async () => (await served('c.example')) && (await home.get('alias.example')).body === 'a.example',
      );
      expect(home.pid()).toBe(pid);
    },
  );
});

describe.each(['stage', 'activate', 'reload', 'verify'] as const)(
  'an agent that is killed on the way back at %s',
  (step) => {
    it('[2 bad input] has quarantined what failed before, and the next agent ends the way back', async () => {
      const lying = await webPolicy((spec) => {
        spec.validate = { run: ['true'], timeout: '5s' };
        if (spec.service) spec.service.timeout = '1s';
      });
      home = await webHome({ instead: [lying] });
      await home.declare(await siteOf(home, 'a.example'));
      const { digest } = await home.settled();
      await home.stop();
      const missing = { tls: { certificate: '/nowhere/cert.pem', key: '/nowhere/key.pem' } };
      await home.declareUnseen(await siteOf(home, 'bad.example', missing));
      // The first time is the way forward, which never gets to verify.
      await dieAt(step, 'begin', step === 'verify' ? 1 : 2);

      home.reports.length = 0;
      await home.resume();
      await until('it is held', () => lastReport()?.result === 'held');
      expect(lastReport()).toMatchObject({ digest, held: [{ name: 'bad.example' }] });
      expect(await home.shown()).toBe(digest);
      expect(await served('a.example')).toBe(true);
    });
  },
);

describe.each(['validate', 'activate', 'reload', 'verify'] as const)(
  'an agent that is killed in a repair at %s',
  (step) => {
    it('[2 bad input] owes a reload: the daemon may have loaded what a hand had written', async () => {
      home = await webHome();
      await home.declare(await siteOf(home, 'a.example'));
      await home.settled();
      await home.stop();
      const [file = ''] = home.filesWith('a.example');
      const right = readFileSync(file, 'utf8');
      writeFileSync(file, right.replace(/server_name [^;]*;/, '$& return 418;'));
      process.kill(home.pid(), 'SIGHUP');
      await until('nginx serves the edit', async () => (await home.get('a.example')).status === 418);
      await dieAt(step, 'begin');

      await home.resume();
      await until('nginx serves what is declared', () => served('a.example'));
      expect(readFileSync(file, 'utf8')).toBe(right);
    });
  },
);

it('[2 bad input] a second agent on one state folder is refused, and the first goes on', async () => {
  home = await webHome();
  await home.stop();
  await joined(home.folder);
  const first = spawnAgent(home.folder);
  await until('it serves', async () => (await home.shown().catch(() => '')) !== '');
  const { status, said } = await endOf(spawnAgent(home.folder));
  expect([status, said]).toEqual([1, expect.stringContaining('another agent runs with')]);
  const end = endOf(first);
  first.kill('SIGTERM');
  expect((await end).status).toBe(0);
  await home.resume();
});
