/** What arrives while a pass is under way: nothing that was not tried is blamed for what was. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import type { Step } from '../../protocol/messages.ts';
import { type Home, siteOf, templateWith, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

type Declared = Parameters<Home['declare']>;

/** A home in which something is declared at the beginning of a step, once armed. */
async function interrupted(step: Step, meanwhile: () => Promise<Declared>) {
  let armed = false;
  let done: Promise<unknown> = Promise.resolve();
  const strike = async () => home.declare(...(await meanwhile()));
  const checkpoint = (at: Step, phase: 'begin' | 'end') => {
    if (!armed || at !== step || phase !== 'begin') return;
    armed = false;
    done = strike();
  };
  home = await webHome({ parts: { checkpoint } });
  return {
    arm: () => {
      armed = true;
    },
    /** All is said and done. */
    settled: async () => {
      await home.units().idle();
      await done;
      return home.settled();
    },
  };
}

const missing = { tls: { certificate: '/nowhere/cert.pem', key: '/nowhere/key.pem' } };

it('[2 bad input] a site that is mended while the checker still refuses it is not held for what it was', async () => {
  const { arm, settled } = await interrupted('validate', async () => [await siteOf(home, 'bad.example')]);
  await home.declare(await siteOf(home, 'good.example'));
  await home.settled();
  arm();
  await home.declare(await siteOf(home, 'bad.example', missing));
  expect(await settled()).toMatchObject({ held: [] });
  // On a busy machine an old worker of nginx may take one more connection.
  await until('it is served', async () => (await home.get('bad.example')).body === 'bad.example');
});

it('[2.5] what comes while a tree fails is tried by the next pass, and neither quarantined nor served unchecked', async () => {
  const { arm, settled } = await interrupted('verify', async () => [
    await webPolicy(() => undefined),
    await templateWith('vhost/nginx-site.conf.hbs', (text) => `# newer\n${text}`),
    await siteOf(home, 'innocent.example'),
    await siteOf(home, 'bad.example', missing),
  ]);
  await home.declare(await siteOf(home, 'good.example'));
  await home.settled();
  arm();
  await home.declare(
    await webPolicy((spec) => {
      spec.verify.deadline = '2s';
      spec.checks = spec.checks.map((check) => ({ ...check, path: '/not-there' }) as typeof check);
    }),
    await templateWith('vhost/nginx-site.conf.hbs', (text) => `# new\n${text}`),
  );
  const report = await settled();
  expect(home.unitReports().some(({ result }) => result === 'rolledBack')).toBe(true);
  expect(report.held.map(({ name }) => name)).toEqual(['bad.example']);
  for (const name of ['good.example', 'innocent.example']) expect((await home.get(name)).body).toBe(name);
});

it('[2.5] a unit whose policy goes while its first pass runs does not stay', async () => {
  let removed: Promise<unknown> | undefined;
  const checkpoint = (at: Step) => {
    if (at === 'stage') removed ??= home.remove({ kind: 'Policy', name: 'web-nginx' });
  };
  home = await webHome({ parts: { checkpoint } });
  await until('its policy is gone', () => removed !== undefined);
  await removed;
  await home.units().idle();
  await until('nothing of it is active', () => !existsSync(join(home.unitFolder(), 'current')));
});
