/** The ftp check against a real vsftpd: plain, after AUTH TLS, over TLS from the first byte. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TalkTarget } from '../../common/render/resolved.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { type Certificates, run, talk, timing, writeCertificates } from './checks.ts';
import { freePort } from './web-nodes.ts';

let folder: string;
let certificates: Certificates;
let well: number;
let implicit: number;
const started: Daemon[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-ftp-'));
  certificates = await writeCertificates(folder);
  well = (await vsftpd('well')).port;
  implicit = (await vsftpd('implicit', 'implicit_ssl=YES')).port;
});
afterAll(async () => {
  for (const daemon of started) await daemon.stop();
  await rm(folder, { recursive: true });
});

async function vsftpd(
  name: string,
  more = '',
  { cert, key } = certificates.good,
): Promise<Daemon & { port: number }> {
  const port = await freePort();
  const file = join(folder, `${name}.conf`);
  await writeFile(
    file,
    `listen=YES
listen_ipv6=NO
listen_address=127.0.0.1
listen_port=${port}
background=NO
run_as_launching_user=YES
seccomp_sandbox=NO
anonymous_enable=YES
anon_root=${folder}
secure_chroot_dir=${folder}
xferlog_enable=NO
ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file=${cert}
rsa_private_key_file=${key}
${more}
`,
  );
  const daemon = await startDaemon(['vsftpd', file], [port]);
  started.push(daemon);
  return { ...daemon, port };
}

const overTls = (
  tls: 'starttls' | 'implicit',
  more: Partial<TalkTarget> = {},
  port = tls === 'implicit' ? implicit : well,
) => talk('ftp', port, { tls, ca: certificates.ca, host: 'localhost', ...more });
const both = ['starttls', 'implicit'] as const;

describe('[3.5] the ftp check, against a real vsftpd', () => {
  it('passes while the daemon is well, with and without TLS', async () => {
    const fine = { ok: true, detail: '220 (vsFTPd 3.0.3)' };
    expect(await run(talk('ftp', well))).toEqual(fine);
    for (const tls of both) expect(await run(overTls(tls))).toEqual(fine);
  });

  it.each(both)('with tls %s fails with the certificate of another name, or of a stranger', async (tls) => {
    const [named, stranger] = [{ host: 'ftp.example.org' }, { ca: certificates.stranger }];
    expect((await run(overTls(tls, named))).detail).toMatch(/ftp\.example\.org.*altnames/);
    expect((await run(overTls(tls, stranger))).detail).toMatch(/verify|unable to get|self-signed/);
    expect(await run(overTls(tls, { ...named, ...stranger, certificate: 'any' }))).toMatchObject({
      ok: true,
    });
  });

  it('fails when the certificate has expired', async () => {
    const { port } = await vsftpd('late', '', certificates.expired);
    const result = await run(overTls('starttls', {}, port));
    expect(result).toEqual({ ok: false, detail: 'certificate has expired' });
  });

  it('fails when the daemon has no TLS to give, and does not go on without', async () => {
    const { port } = await vsftpd('bare', 'ssl_enable=NO');
    expect(await run(overTls('starttls', {}, port))).toEqual({
      ok: false,
      detail: expect.stringMatching(/^answered 530 .*, wanted 234$/),
    });
  });

  it('fails while the daemon hangs, where a tcp check passes, and when it is stopped', async () => {
    const { port, child, stop } = await vsftpd('ill');
    expect(await run(talk('ftp', port))).toMatchObject({ ok: true });
    child.kill('SIGSTOP');
    expect(await run({ ...timing, type: 'tcp', address: '127.0.0.1', port })).toMatchObject({ ok: true });
    expect(await run(talk('ftp', port, { timeout: 200 }))).toEqual({
      ok: false,
      detail: 'no answer within 200 ms',
    });
    child.kill('SIGCONT');
    expect(await run(talk('ftp', port))).toMatchObject({ ok: true });
    await stop();
    expect((await run(talk('ftp', port))).detail).toContain('ECONNREFUSED');
  });
});
