/** Convergence with a real nginx: what is declared is served, and one bad item stops nobody. */

import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Home, siteOf, templateWith, webHome, webPolicy } from '../support/home.ts';
import { until } from '../support/until.ts';

let home: Home;
afterEach(() => home.end());

const served = async (name: string) => (await home.get(name)).body === name;
const areServed = (names: string[]) =>
  until(`${names.join(', ')} answer`, async () => (await Promise.all(names.map(served))).every(Boolean));
const named = (count: number, prefix = 's') =>
  Array.from({ length: count }, (_, at) => `${prefix}${at}.example`);
const sitesOf = (names: string[], spec?: object) =>
  Promise.all(names.map((name) => siteOf(home, name, spec)));
const missing = { tls: { certificate: '/nowhere/cert.pem', key: '/nowhere/key.pem' } };

describe('a unit', () => {
  it('[2.5] is served from a tree that nginx itself names, and a second look changes nothing', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(['a.example', 'b.example'])));
    const report = await home.settled();
    expect(report).toMatchObject({ result: 'changed', held: [] });
    await areServed(['a.example', 'b.example']);
    expect(await home.shown()).toBe(report.digest);
    const [pid, said] = [home.pid(), home.reports.length];
    home.units().reconcileAll();
    await home.units().idle();
    expect([home.pid(), home.reports.length]).toEqual([pid, said]);
  });

  it('[2.5] says how long each step took and what changed', async () => {
    home = await webHome();
    await home.settled();
    await home.declare(await siteOf(home, 'a.example'));
    const report = await home.settled();
    expect(Object.keys(report.timing)).toEqual(
      expect.arrayContaining(['render', 'plan', 'stage', 'validate', 'activate', 'reload', 'verify']),
    );
    expect(report.diffs.find(({ path }) => path.startsWith('sites/'))).toMatchObject({ change: 'added' });
    expect(report.diffs.find(({ path }) => path === 'nginx.conf')?.diff).toContain('+    include');
  });

  it('[2.5] is planned to the last byte without anything being touched', async () => {
    home = await webHome();
    await home.settled();
    const before = execFileSync('find', [home.paths.state, '-printf', '%p %i %T@ %s\n'], {
      encoding: 'utf8',
    });
    expect(await home.units().plan()).toEqual([
      { unit: 'web-nginx', result: 'unchanged', drift: false, held: [], diffs: [] },
    ]);
    const after = execFileSync('find', [home.paths.state, '-printf', '%p %i %T@ %s\n'], { encoding: 'utf8' });
    expect(after).toBe(before);
  });

  it('[2.5] is not touched while a scope of its node has never arrived', async () => {
    home = await webHome();
    await home.settled();
    const pid = home.pid();
    // The node has one more role now, of which nothing is known yet: it may hold anything.
    await home.declare(home.node({ roles: ['web', 'storage'] }), await siteOf(home, 'late.example'));
    await home.units().idle();
    expect(await home.units().plan()).toEqual([]);
    expect(home.pid()).toBe(pid);
  });
});

describe.each([
  ['found by the checker’s words', undefined],
  ['found by bisection, since nobody can read the words', async () => []],
])('a bad item, %s,', (_, culprits) => {
  const parts = culprits ? { culprits } : {};

  it('[2.5] is held back with the words of nginx, the others go live, and mended it follows', async () => {
    home = await webHome({ parts });
    await home.settled();
    const good = named(18);
    const bad = ['bad0.example', 'bad1.example'];
    await home.declare(...(await sitesOf(good)), ...(await sitesOf(bad, missing)));
    const report = await home.settled();
    expect(report.result).toBe('held');
    expect(report.held.map(({ name, serving }) => [name, serving]).sort()).toEqual(
      bad.map((name) => [name, 'nothing']),
    );
    for (const { reason } of report.held)
      expect(reason).toBe('cannot load certificate "/nowhere/cert.pem": No such file or directory');
    await areServed(good);

    await home.declare(...(await sitesOf(bad)));
    expect(await home.settled()).toMatchObject({ result: 'changed', held: [] });
    await areServed([...good, ...bad]);
  });

  it('[2.5] goes on being served as it last was good', async () => {
    home = await webHome({ parts });
    await home.declare(...(await sitesOf(named(4))));
    await home.settled();
    await home.declare(await siteOf(home, 's1.example', missing), await siteOf(home, 'new.example'));
    expect(await home.settled()).toMatchObject({
      result: 'held',
      held: [{ kind: 'Site', name: 's1.example', serving: 'last-good' }],
    });
    await areServed([...named(4), 'new.example']);
  });
});

describe('what is held back', () => {
  it('[2.5] is two sites that share a bad certificate, alone, though nothing else has changed', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(named(3))));
    await home.settled();
    await home.declare(...(await sitesOf(named(2, 'bad'), missing)));
    const report = await home.settled();
    expect(report).toMatchObject({ result: 'held' });
    expect(report.error).toBeUndefined();
    expect(report.held.map(({ name }) => name).sort()).toEqual(named(2, 'bad'));
    await home.declare(...(await sitesOf(['new.example'])));
    await areServed([...named(3), 'new.example']);
  });

  it('[2.5] is the whole unit when more than a few and a fifth of what changed fail, and what was served goes on', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(named(3))));
    const { digest } = await home.settled();
    await home.declare(...(await sitesOf(['new.example'])), ...(await sitesOf(named(6, 'bad'), missing)));
    expect(await home.settled()).toMatchObject({
      result: 'held',
      step: 'validate',
      error: { code: 'validate-failed' },
      digest,
      held: [],
    });
    await areServed(named(3));
    expect(await served('new.example')).toBe(false);

    const pid = home.pid();
    process.kill(pid, 'SIGKILL');
    await until('it is started again', () =>
      home.unitReports().some(({ restarted }) => restarted === 'nginx'),
    );
    await areServed(named(3));

    await home.declare(...(await sitesOf(named(6, 'bad'))));
    expect(await home.settled()).toMatchObject({ result: 'changed' });
    await areServed([...named(3), 'new.example', ...named(6, 'bad')]);
  });

  it('[2.5] is an item that changed nothing when its last good version passes no more', async () => {
    home = await webHome();
    const pem = join(home.folder, 'pem');
    mkdirSync(pem);
    const tls = { certificate: join(pem, 'cert.pem'), key: join(pem, 'key.pem') };
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
        ...['-subj', '/CN=a.example', '-keyout', tls.key, '-out', tls.certificate],
      ],
      { stdio: 'ignore' },
    );
    await home.declare(...(await sitesOf(named(4))), await siteOf(home, 'a.example', { tls }));
    expect(await home.settled()).toMatchObject({ result: 'changed' });
    rmSync(tls.certificate);
    await home.declare(await siteOf(home, 'b.example'));
    expect(await home.settled()).toMatchObject({
      result: 'held',
      held: [{ name: 'a.example', serving: 'nothing' }],
    });
    await areServed([...named(4), 'b.example']);

    writeFileSync(tls.certificate, '');
    execFileSync('openssl', [
      'req',
      '-x509',
      '-key',
      tls.key,
      '-days',
      '2',
      '-subj',
      '/CN=a',
      '-out',
      tls.certificate,
    ]);
    await home.units().retry();
    await until('it is served again', () => served('a.example'));
  });

  it('[2.5] is a template that nginx refuses, and sites go on changing', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(named(3))));
    await home.settled();
    const broken = await templateWith('vhost/nginx-site.conf.hbs', (text) =>
      text.replace('server_name', 'servername'),
    );
    await home.declare(broken, await siteOf(home, 'new.example'));
    expect(await home.settled()).toMatchObject({
      result: 'held',
      held: [{ kind: 'Template', name: 'vhost/nginx-site.conf.hbs', serving: 'last-good' }],
    });
    await areServed([...named(3), 'new.example']);
  });

  it('[2 bad input] is a template that throws, told with its step, and the old tree still serves', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(named(3))));
    await home.settled();
    await home.declare(await templateWith('vhost/nginx.conf.hbs', (text) => `${text}{{nobody.knows}}`));
    const report = await home.settled();
    expect(report).toMatchObject({ result: 'held', held: [{ kind: 'Template', serving: 'last-good' }] });
    expect(report.held[0]?.reason).toContain('nobody');
    await home.declare(await siteOf(home, 'new.example'));
    await home.settled();
    await areServed([...named(3), 'new.example']);
  });

  it('[2 bad input] is told at the step render when nothing was ever good', async () => {
    home = await webHome({
      instead: [await templateWith('vhost/nginx.conf.hbs', (text) => `${text}{{nobody.knows}}`)],
    });
    await until('it is told', () => home.unitReports().length > 0);
    expect(home.unitReports()[0]).toMatchObject({
      result: 'failed',
      step: 'render',
      error: { code: 'render-failed' },
    });
  });

  it('[2.5] is remembered over a restart of the agent, and not looked for again', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(named(8))), await siteOf(home, 'bad.example', missing));
    const { digest } = await home.settled();
    const said = home.unitReports().length;
    await home.restart();
    await until('it is said again', () => home.unitReports().length > said);
    expect(home.unitReports().at(-1)).toMatchObject({ digest, held: [{ name: 'bad.example' }] });
    expect(home.unitReports().at(-1)?.timing).not.toHaveProperty('validate');
  });
});

describe('the way back', () => {
  it('[2.5] is taken when the checks fail, tells the first error, and later revisions go on', async () => {
    home = await webHome();
    await home.declare(...(await sitesOf(named(3))));
    const { digest } = await home.settled();
    const failing = await webPolicy((spec) => {
      spec.verify.deadline = '500ms';
      spec.checks = [{ ...spec.checks[0], path: '/not-there' } as (typeof spec.checks)[number]];
    });
    const worse = await templateWith('vhost/nginx-site.conf.hbs', (text) => `# new\n${text}`);
    await home.declare(failing, worse);
    await until('it is led back', () => home.unitReports().some(({ result }) => result === 'rolledBack'));
    expect(home.unitReports().find(({ result }) => result === 'rolledBack')).toMatchObject({
      step: 'verify',
      error: { code: 'verify-failed' },
      digest,
    });
    expect(await home.shown()).toBe(digest);

    await home.declare(await siteOf(home, 'new.example'));
    const next = await home.settled();
    expect(next.held.map(({ kind }) => kind).sort()).toEqual(['Policy', 'Template']);
    await areServed([...named(3), 'new.example']);
  });

  it('[3.5] is not taken for what is wrong with the box: a full disk, a file server that is gone', async () => {
    home = await webHome();
    const timing = { interval: '100ms', timeout: '500ms', fall: 1, rise: 1 };
    const ailing = await webPolicy((spec) => {
      spec.verify.deadline = '500ms';
      spec.checks.push({ ...timing, name: 'room', type: 'disk', path: '{{state}}', freeBytes: '999999g' });
      spec.checks.push({ ...timing, name: 'shared', type: 'mount', path: '/not-mounted' });
    });
    await home.declare(ailing, ...(await sitesOf(named(3))));
    expect(await home.settled()).toMatchObject({ result: 'changed', held: [] });
    await areServed(named(3));
  });

  it('[2 bad input] undoes what a lying checker let through: nginx refuses, the old tree is back, the tree quarantined', async () => {
    home = await webHome();
    const lying = await webPolicy((spec) => {
      spec.validate = { run: ['true'], timeout: '5s' };
      if (spec.service) spec.service.timeout = '1s';
    });
    await home.declare(lying, ...(await sitesOf(named(3))));
    const { digest } = await home.settled();
    const broken = await siteOf(home, 'bad.example', missing);
    await home.declare(broken);
    await until('it is led back', () => home.unitReports().some(({ result }) => result === 'rolledBack'));
    expect(home.unitReports().find(({ result }) => result === 'rolledBack')).toMatchObject({
      step: 'reload',
      error: { code: 'not-loaded' },
      digest,
      held: [{ name: 'bad.example' }],
    });
    expect(await home.shown()).toBe(digest);
    await areServed(named(3));

    // The same tree again, by way of another revision, is refused without a try.
    await home.remove({ kind: 'Site', name: 'bad.example' });
    await home.settled();
    await home.declare(broken);
    expect(await home.settled()).toMatchObject({ result: 'held', step: 'validate' });
    expect(await home.shown()).toBe(digest);
  });

  it('[2 bad input] serves the bytes of the journal though a file was edited by hand before', async () => {
    home = await webHome({ parts: { watch: { start: () => () => undefined, set: () => undefined } } });
    await home.declare(...(await sitesOf(named(3))));
    const { digest } = await home.settled();
    const [file = ''] = home.filesWith('s1.example');
    const right = execFileSync('cat', [file], { encoding: 'utf8' });
    // The hand comes between the swap and the way back, when the plan has already compared the disk.
    let edited = false;
    await home.restart({
      watch: { start: () => () => undefined, set: () => undefined },
      checkpoint: (step, phase) => {
        if (edited || step !== 'verify' || phase !== 'begin') return;
        edited = true;
        writeFileSync(file, right.replace('s1.example', 'hand.example'));
      },
    });
    await home.units().idle();
    const failing = await webPolicy((spec) => {
      spec.verify.deadline = '300ms';
      spec.checks = [{ ...spec.checks[0], path: '/not-there' } as (typeof spec.checks)[number]];
    });
    await home.declare(failing, await templateWith('vhost/nginx.conf.hbs', (text) => `# new\n${text}`));
    await until('it is led back', () => home.unitReports().some(({ result }) => result === 'rolledBack'));
    expect(edited).toBe(true);
    expect(execFileSync('cat', [file], { encoding: 'utf8' })).toBe(right);
    expect(await home.shown()).toBe(digest);
    await areServed(named(3));
  });
});
