/** What is held back is tried again: by the sweep where the checker alone spoke against it, by an operator in any case. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { systemClock } from '../../common/clock.ts';
import { type Home, siteOf, templateWith, webHome } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

const served = (host: string) =>
  home.get(host).then(
    ({ body }) => body === host,
    () => false,
  );
const held = () => home.unitReports().at(-1)?.held ?? [];
const sweep = async () => {
  home.units().sweep({ contents: true });
  // It lists the units first, and puts them into the queue then.
  await systemClock.sleep(100);
  await home.units().idle();
};

/** A site whose certificate does not exist yet, beside one that is well. */
async function begin() {
  home = await webHome();
  const tls = { certificate: join(home.folder, 'pem', 'cert.pem'), key: join(home.folder, 'pem', 'key.pem') };
  await home.declare(await siteOf(home, 'a.example'), await siteOf(home, 'tls.example', { tls }));
  expect((await home.settled()).held).toMatchObject([{ name: 'tls.example', serving: 'nothing' }]);
  const certify = () => {
    mkdirSync(join(home.folder, 'pem'));
    const subject = ['-subj', '/CN=tls.example', '-keyout', tls.key, '-out', tls.certificate];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, '-days', '2', ...subject], { stdio: 'ignore' });
  };
  return certify;
}

it('[2 bad input] a site held for a missing certificate goes live after it appears, without any word', async () => {
  const certify = await begin();
  const told = home.reports.length;
  await sweep();
  // The same trouble is not told again.
  expect(home.reports.slice(told)).toEqual([]);
  expect(held()).toHaveLength(1);
  expect(await served('a.example')).toBe(true);
  certify();
  await sweep();
  expect(held()).toEqual([]);
  expect(await served('tls.example')).toBe(true);
});

it('[2 bad input] a site held for a missing certificate goes live at once when an operator retries', async () => {
  const certify = await begin();
  certify();
  await home.units().retry();
  await until('it is served', () => served('tls.example'));
});

it('[2 bad input] a unit held whole for what lay on the box goes on after the sweep', async () => {
  home = await webHome();
  const first = await home.settled();
  const pem = join(home.folder, 'pem');
  const tls = { certificate: join(pem, 'cert.pem'), key: join(pem, 'key.pem') };
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((label) => `${label}.example`);
  await home.declare(...(await Promise.all(names.map((name) => siteOf(home, name, { tls })))));
  expect(await home.settled()).toMatchObject({ result: 'held', digest: first.digest, held: [] });
  mkdirSync(pem);
  const subject = ['-subj', '/CN=a', '-keyout', tls.key, '-out', tls.certificate];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject], { stdio: 'ignore' });
  await sweep();
  for (const name of names) expect(await served(name)).toBe(true);
});

it('[2.5] what did harm when it was served waits for an operator, however often is swept', async () => {
  home = await webHome();
  await home.declare(await siteOf(home, 'a.example'));
  await home.settled();
  // The checker passes it, and then nothing answers where the check asks.
  await home.declare(
    await templateWith('vhost/nginx.conf.hbs', (text) => text.replaceAll('/.evenkeel/alive', '/elsewhere')),
    await templateWith('vhost/nginx-site.conf.hbs', (text) =>
      text.replaceAll('/.evenkeel/alive', '/elsewhere'),
    ),
  );
  await until(
    'it is led back',
    () => home.unitReports().some(({ result }) => result === 'rolledBack'),
    30_000,
  );
  await until('it is held', () => held().length > 0 && home.unitReports().at(-1)?.result === 'held');
  const told = home.reports.length;
  await sweep();
  expect(home.reports.slice(told)).toEqual([]);
  expect(held().every(({ kind }) => kind === 'Template')).toBe(true);
  expect(await served('a.example')).toBe(true);
});

it('[2.5] a node on hold is not looked at again', async () => {
  const certify = await begin();
  await home.declare(home.node({ hold: { reason: 'a look', owner: 'ann' } }));
  await home.settled();
  certify();
  await sweep();
  expect(held()).toMatchObject([{ name: 'tls.example' }]);
  expect(await served('tls.example')).toBe(false);
});
