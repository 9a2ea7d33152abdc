/** The second web server: the same sites by a real Apache, its culprits, its reload, and a node that changes its mind. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { get, type IncomingHttpHeaders, request } from 'node:http';
import { get as getSafely } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createExecutables } from '../../agent/drivers/executables.ts';
import { startFastCgi } from '../support/fastcgi.ts';
import { freePort, type Home, type Parts, siteOf, webHome } from '../support/home.ts';
import { until } from '../support/until.ts';
import { declared, shipped } from '../unit/render/declared.ts';

const homes: Home[] = [];
afterEach(async () => {
  for (const home of homes.splice(0)) await home.end();
});

const ADDRESS = '127.0.0.32';
const UNIT = 'web-apache';
const executables = createExecutables({ nginx: '/usr/sbin/nginx', apache2: '/usr/sbin/apache2' });

/** A node that has chosen its web server. */
async function webNode(webServer: 'nginx' | 'apache', parts: Parts = {}): Promise<Home> {
  const [statusPort, httpsPort] = [await freePort(ADDRESS), await freePort(ADDRESS)];
  const own = { user: 'www-data', nodeHeader: true, statusPort, httpsPort, webServer };
  const policy = (await shipped()).find('Policy', UNIT);
  const home = await webHome({
    address: ADDRESS,
    parameters: { ...own, processes: 2 },
    parts: { executables, ...parts },
    instead: [policy],
  });
  homes.push(home);
  return home;
}

const sitesOf = (home: Home, names: string[], spec?: object) =>
  Promise.all(names.map((name) => siteOf(home, name, spec)));
const served = async (home: Home, name: string) => (await home.get(name)).body === name;
const areServed = (home: Home, names: string[]) =>
  until(`${names.join(', ')} answer`, async () =>
    (await Promise.all(names.map((name) => served(home, name).catch(() => false)))).every(Boolean),
  );

/** A certificate that this box has signed itself. */
function certificate(folder: string, name: string) {
  mkdirSync(folder, { recursive: true });
  const tls = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  const out = ['-subj', `/CN=${name}`, '-keyout', tls.key, '-out', tls.certificate];
  execFileSync('openssl', ['req', '-x509', ...curve, ...out], { stdio: 'ignore' });
  return tls;
}

interface Answer {
  status: number | undefined;
  type: string | undefined;
  location: string | undefined;
  node: IncomingHttpHeaders[string];
  body: string;
}

/** What a visitor would notice; pages of errors are each server's own. */
function ask(home: Home, host: string, path: string, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === '' ? 'GET' : 'POST';
    const headers = { host, 'content-length': body.length };
    const where = { host: ADDRESS, port: home.port, path, method, headers, agent: false };
    const asked = request(where, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.once('end', () => {
        const { statusCode: status, headers: said } = answer;
        const isOwn = status === 200;
        resolve({
          ...{ status, node: said['x-evenkeel-node'], body: isOwn ? text : '' },
          type: isOwn ? said['content-type'] : undefined,
          location: said.location?.replace(`:${home.port}`, ''),
        });
      });
    });
    asked.once('error', reject);
    asked.end(body);
  });
}

async function manySites(home: Home) {
  const redirects = [
    { from: '/old', to: '/new?a=%20b' },
    { from: '/gone%20away/%C3%BC', to: 'https://other.example/x', code: 302 },
  ];
  const sites = [
    await siteOf(home, 'a.example', { aliases: ['www.a.example'], redirects, maxBody: '1k' }),
    await siteOf(home, 'wild.example', { aliases: ['*.b.example'] }),
    await siteOf(home, 'z.b.example', { accessLog: 'own' }),
    await siteOf(home, 'quiet.example', { accessLog: 'off' }),
    declared('Site', 'rootless.example', { root: '/nowhere/at/all' }),
  ];
  const root = join(home.folder, 'www', 'a.example');
  for (const folder of ['.git', '.well-known', 'dir']) mkdirSync(join(root, folder));
  for (const file of ['.git/config', '.well-known/it', 'dir/index.html', 'odd.xyzzy', 'style.css', 'a b.txt'])
    writeFileSync(join(root, file), `${file} of a`);
  return sites;
}

const questions: [host: string, path: string, body?: string][] = [
  ...['/', '/odd.xyzzy', '/style.css', '/a%20b.txt', '/dir', '/dir/', '/nothing'].map(
    (path): [string, string] => ['a.example', path],
  ),
  ...['/.git/config', '/.well-known/it', '/old', '/old/', '/old?c=d', '/gone%20away/%C3%BC'].map(
    (path): [string, string] => ['a.example', path],
  ),
  ['a.example', '/', 'x'.repeat(2000)],
  ['www.a.example', '/'],
  ['any.b.example', '/'],
  ['z.b.example', '/'],
  ['quiet.example', '/'],
  ['rootless.example', '/'],
  ['nobody.example', '/'],
  ['nobody.example', '/.evenkeel/alive'],
  ['a.example', '/.evenkeel/alive'],
];
const answersOf = (home: Home) =>
  Promise.all(
    questions.map(async ([host, path, body]) => [`${host}${path}`, await ask(home, host, path, body)]),
  );

describe('[4.8] the same sites', () => {
  it('are answered by Apache as by nginx, request by request, and logged in the same places', async () => {
    const [nginx, apache] = [await webNode('nginx'), await webNode('apache')];
    await nginx.declare(...(await manySites(nginx)));
    await apache.declare(...(await manySites(apache)));
    expect(await nginx.settled('web-nginx')).toMatchObject({ result: 'changed', held: [] });
    expect(await apache.settled(UNIT)).toMatchObject({ result: 'changed', held: [] });
    const expected = await answersOf(nginx);
    expect(new Set(expected.map(([, answer]) => (answer as Answer).status))).toEqual(
      new Set([200, 301, 302, 404, 413, 421]),
    );
    expect(await answersOf(apache)).toEqual(expected);

    const logs = join(apache.paths.log, UNIT);
    const log = (name: string) => readFileSync(join(logs, name), 'utf8');
    expect(log('access.log')).toMatch(
      /^a\.example 127\.0\.0\.\d+ \[[^\]]+\] "GET \/ HTTP\/1\.1" 200 9 \d+ \d+$/m,
    );
    expect(log('access.log')).not.toMatch(/quiet|z\.b\.example|alive/);
    expect(log('sites/z.b.example.log')).toContain('"GET / HTTP/1.1" 200');

    for (const home of [nginx, apache])
      await home.declare(await siteOf(home, 'z.b.example', { defaultServer: true }));
    await nginx.settled('web-nginx');
    await apache.settled(UNIT);
    const withDefault = await answersOf(nginx);
    expect(withDefault).not.toEqual(expected);
    expect(await answersOf(apache)).toEqual(withDefault);
  });

  it('hand the same requests to PHP', async () => {
    const answers: unknown[] = [];
    for (const server of ['nginx', 'apache'] as const) {
      const home = await webNode(server);
      const socket = join(home.folder, 'php.sock');
      const stop = await startFastCgi(socket);
      const root = join(home.folder, 'www', 'a.example');
      await home.declare(await siteOf(home, 'a.example', { php: { socket } }));
      for (const file of ['index.php', 'x.php', 'static.txt']) writeFileSync(join(root, file), file);
      rmSync(join(root, 'index.html'));
      await home.settled(server === 'apache' ? UNIT : 'web-nginx');
      const paths = ['/', '/x.php', '/x.php?a=b', '/x.php/more/it', '/static.txt', '/static.txt/x.php'];
      const asked = [...paths, '/nothing/here?q=1', '/nothing.php'];
      answers.push(await Promise.all(asked.map(async (path) => [path, await ask(home, 'a.example', path)])));
      await stop();
    }
    const [nginx, apache] = answers;
    expect(JSON.stringify(nginx)).toContain('x.php PATH_INFO=/more/it');
    expect(JSON.stringify(nginx)).toContain('index.php PATH_INFO= QUERY_STRING=q=1');
    expect(apache).toEqual(nginx);
  });

  it('are served by TLS under their names, and a name that no site has gets nothing', async () => {
    const home = await webNode('apache');
    const tls = certificate(join(home.folder, 'pem'), 'a.example');
    const plain = ['b.example'];
    await home.declare(await siteOf(home, 'a.example', { tls }), ...(await sitesOf(home, plain)));
    expect(await home.settled(UNIT)).toMatchObject({ result: 'changed', held: [] });
    const port = Number(home.node().spec.parameters.httpsPort);
    const fetch = (name: string) =>
      new Promise<[number | undefined, string]>((resolve, reject) => {
        const ca = readFileSync(tls.certificate);
        // The name of the certificate is judged by hand: one that is not theirs is what strangers see.
        const how = { host: ADDRESS, port, servername: name, headers: { host: name }, ca };
        getSafely({ ...how, checkServerIdentity: () => undefined }, (answer) => {
          let text = '';
          answer.on('data', (part: Buffer) => {
            text += part.toString();
          });
          answer.once('end', () => resolve([answer.statusCode, text]));
        }).once('error', reject);
      });
    expect(await fetch('a.example')).toEqual([200, 'a.example']);
    expect((await fetch('b.example'))[0]).toBe(421);
  });
});

describe.each([
  ['found by the checker’s words', {}],
  ['found by bisection, since nobody can read the words', { culprits: async () => [] }],
])('[4.8] a bad site, %s,', (_, parts) => {
  it('is held back with the words of Apache, the others go live, and the daemon goes on', async () => {
    const home = await webNode('apache', parts);
    await home.settled(UNIT);
    const pid = home.pid(UNIT);
    const pem = join(home.folder, 'pem');
    const [one, other] = [certificate(pem, 'one'), certificate(pem, 'other')];
    const good = Array.from({ length: 12 }, (_, at) => `s${at}.example`);
    const missing = { certificate: '/nowhere/cert.pem', key: '/nowhere/key.pem' };
    await home.declare(
      ...(await sitesOf(home, good)),
      await siteOf(home, 'missing.example', { tls: missing }),
      await siteOf(home, 'mixed.example', { tls: { ...one, key: other.key } }),
    );
    const report = await home.settled(UNIT);
    expect(report.result).toBe('held');
    expect(Object.fromEntries(report.held.map(({ name, reason }) => [name, reason]))).toEqual({
      'missing.example': "SSLCertificateFile: file '/nowhere/cert.pem' does not exist or is empty",
      'mixed.example': expect.stringMatching(/^Certificate and private key .* do not match$/),
    });
    await areServed(home, good);
    expect(home.pid(UNIT)).toBe(pid);

    await home.declare(
      await siteOf(home, 'missing.example'),
      await siteOf(home, 'mixed.example', { tls: one }),
    );
    expect(await home.settled(UNIT)).toMatchObject({ result: 'changed', held: [] });
    await areServed(home, [...good, 'missing.example', 'mixed.example']);
    expect(home.pid(UNIT)).toBe(pid);
  });
});

it('[4.8] a reload of Apache breaks no download that runs, and no request fails meanwhile', async () => {
  const home = await webNode('apache');
  const site = await siteOf(home, 'a.example');
  const size = 64 * 1024 * 1024;
  writeFileSync(join(home.folder, 'www', 'a.example', 'large.iso'), Buffer.alloc(size));
  await home.declare(site);
  await home.settled(UNIT);
  await areServed(home, ['a.example']);
  const pid = home.pid(UNIT);
  let received = 0;
  const download = new Promise<void>((resolve, reject) => {
    const where = { host: ADDRESS, port: home.port, path: '/large.iso', headers: { host: 'a.example' } };
    get(where, (answer) => {
      answer.once('data', () => answer.pause());
      answer.on('data', (part: Buffer) => {
        received += part.length;
      });
      answer.once('end', resolve);
      resume = () => answer.resume();
    }).once('error', reject);
  });
  let resume = () => undefined as unknown;
  await until('the download runs', () => received > 0);
  let failed = 0;
  let asked = 0;
  let isOver = false;
  const visitor = (async () => {
    while (!isOver) {
      asked += 1;
      const answer = await ask(home, 'a.example', '/').catch(() => null);
      if (answer?.body !== 'a.example') failed += 1;
    }
  })();
  for (const name of ['b.example', 'c.example', 'd.example']) {
    await home.declare(await siteOf(home, name));
    expect(await home.settled(UNIT)).toMatchObject({ result: 'changed' });
  }
  isOver = true;
  await visitor;
  resume();
  await download;
  expect({ received, failed, pid: home.pid(UNIT) }).toEqual({ received: size, failed: 0, pid });
  expect(asked).toBeGreaterThan(10);
}, 60_000);

it('[4.8] a port that somebody else holds takes Apache away for a moment alone: it is back with what it served', async () => {
  const home = await webNode('apache');
  await home.declare(...(await sitesOf(home, ['a.example'])));
  await home.settled(UNIT);
  const stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(0, ADDRESS, resolve));
  const { port } = stranger.address() as AddressInfo;
  const { parameters } = home.node().spec;
  const begun = home.unitReports(UNIT).length;
  await home.declare(home.node({ parameters: { ...parameters, httpPort: port } }));
  await until('it has gone the way back', () =>
    home
      .unitReports(UNIT)
      .slice(begun)
      .some(({ result }) => result === 'rolledBack'),
  );
  await areServed(home, ['a.example']);
  await new Promise((resolve) => stranger.close(resolve));
}, 60_000);

it('[4.8] a killed Apache is started again with what it served, and its workers leave the port', async () => {
  const home = await webNode('apache');
  await home.declare(...(await sitesOf(home, ['a.example'])));
  await home.settled(UNIT);
  const pid = home.pid(UNIT);
  process.kill(pid, 'SIGKILL');
  await until('it is started again', () =>
    home.unitReports(UNIT).some(({ restarted }) => restarted === 'apache'),
  );
  await areServed(home, ['a.example']);
  expect(home.pid(UNIT)).not.toBe(pid);
});

it('[4.8] a node that changes from nginx to Apache and back serves on by the other, and the first is gone', async () => {
  const home = await webNode('nginx');
  await home.declare(...(await sitesOf(home, ['a.example'])));
  await home.settled('web-nginx');
  await areServed(home, ['a.example']);
  const { parameters } = home.node().spec;
  const isGone = (unit: string) =>
    statSync(join(home.paths.state, 'units', unit, 'current'), { throwIfNoEntry: false }) === undefined;
  for (const [webServer, unit, former] of [
    ['apache', UNIT, 'web-nginx'],
    ['nginx', 'web-nginx', UNIT],
  ] as const) {
    await home.declare(home.node({ parameters: { ...parameters, webServer } }));
    await until(`${former} is gone`, () => isGone(former), 60_000);
    await until(`${unit} serves`, () => !isGone(unit), 60_000);
    await areServed(home, ['a.example']);
    expect(
      home
        .units()
        .state()
        .map((one) => one.unit),
    ).toEqual([unit]);
  }
}, 150_000);
