/** Checks over TLS: a certificate that does not verify is a failure, whatever the server answers. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRunCheck } from '../../agent/probe/check.ts';
import { systemClock } from '../../common/clock.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { issueServer, makeAuthority } from '../../manager/pki/x509.ts';

let folder: string;
let port: number;
let close: () => Promise<void>;
const DAY = 86_400_000;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-probe-'));
  const [authority, stranger] = [await makeAuthority(Date.now()), await makeAuthority(Date.now())];
  const { key, certificate } = await issueServer(authority, ['127.0.0.1'], Date.now(), DAY);
  await writeFile(join(folder, 'ca.crt'), authority.certificate);
  await writeFile(join(folder, 'stranger.crt'), stranger.certificate);
  const server = createServer({ key, cert: certificate }, (request, response) =>
    response.end(`well, ${(request.socket as TLSSocket).servername || 'whoever'}`),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
  close = () => new Promise((resolve) => server.close(() => resolve()));
});
afterAll(async () => {
  await close();
  await rm(folder, { recursive: true });
});

const run = (more: { ca?: string; host?: string; body?: RegExp }) => {
  const timing = { name: 'https', interval: 1000, timeout: 2000, fall: 2, rise: 3 };
  const target = { address: '127.0.0.1', port, path: '/', status: [200] };
  const check: ResolvedCheck = { ...timing, type: 'https', ...target, ...more };
  const runCheck = createRunCheck({ clock: systemClock, resolve: (command) => [...command] });
  return runCheck(check, { signal: new AbortController().signal });
};

describe('[2.7] the https check', () => {
  it('passes when the certificate is vouched for by the authorities of the check, by name and by address', async () => {
    const ca = join(folder, 'ca.crt');
    expect(await run({ ca, host: 'localhost', body: /well/ })).toEqual({ ok: true, detail: 'answered 200' });
    expect(await run({ ca })).toMatchObject({ ok: true });
  });

  it('says which name it wants, and none where it goes by the address', async () => {
    const ca = join(folder, 'ca.crt');
    const named = await run({ ca, host: 'localhost', body: /^well, localhost$/ });
    expect(named).toEqual({ ok: true, detail: 'answered 200' });
    expect(await run({ ca, body: /^well, whoever$/ })).toEqual({ ok: true, detail: 'answered 200' });
  });

  it.each([
    ['another authority', { ca: 'stranger.crt', host: 'localhost' }, /verify|self[- ]signed|unable to get/],
    [
      'no authority that is known to the system',
      { host: 'localhost' },
      /verify|self[- ]signed|unable to get/,
    ],
    ['the certificate of another name', { ca: 'ca.crt', host: 'example.org' }, /altnames|example\.org/],
    ['a file of authorities that is not there', { ca: 'none.crt' }, /ENOENT/],
  ])('fails with %s', async (_, { ca, ...more }: { ca?: string; host?: string }, why) => {
    const result = await run({ ...more, ...(ca ? { ca: join(folder, ca) } : {}) });
    expect(result).toEqual({ ok: false, detail: expect.stringMatching(why) });
  });
});
