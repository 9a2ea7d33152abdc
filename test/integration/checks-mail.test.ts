/** The smtp, imap and pop3 checks against a real Dovecot: plain, after STARTTLS, over TLS from the first byte. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResolvedCheck, TalkTarget } from '../../common/render/resolved.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { type Certificates, run, type Talk, talk, timing, writeCertificates } from './checks.ts';
import { freePort } from './web-nodes.ts';

type Ports = Record<Talk, { plain: number; tls: number }>;
interface Dovecot extends Daemon {
  ports: Ports;
}

let folder: string;
let certificates: Certificates;
let well: Dovecot;
const started: Daemon[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-mail-'));
  certificates = await writeCertificates(folder);
  well = await dovecot('well');
});
afterAll(async () => {
  for (const daemon of started) await daemon.stop();
  await rm(folder, { recursive: true });
});

const login = (service: string, [plain, tls]: [string, string], ports: { plain: number; tls: number }) => `
service ${service}-login {
  chroot =
  inet_listener ${plain} {
    port = ${ports.plain}
  }
  inet_listener ${tls} {
    port = ${ports.tls}
    ssl = yes
  }
}`;

const SOUND = 'passdb {\n  driver = static\n  args = nopassword=y\n}\n';

/** Root gives up being root; others can be nobody else. */
async function whoItMayBe(): Promise<[user: string, group: string]> {
  const { uid, username } = userInfo();
  if (uid === 0) return ['nobody', 'nogroup'];
  return [username, (await promisify(execFile)('id', ['-gn'])).stdout.trim()];
}

/** @param users how it knows its users; without, its login cannot work */
async function dovecot(name: string, { cert, key } = certificates.good, users = SOUND): Promise<Dovecot> {
  const home = join(folder, name);
  await mkdir(home);
  const two = async () => ({ plain: await freePort(), tls: await freePort() });
  const ports: Ports = { smtp: await two(), imap: await two(), pop3: await two(), ftp: await two() };
  const [user, group] = await whoItMayBe();
  const file = join(home, 'dovecot.conf');
  await writeFile(
    file,
    `base_dir = ${home}/run
state_dir = ${home}/state
log_path = ${home}/log
protocols = imap pop3 submission
listen = 127.0.0.1
hostname = mail.example.org
ssl = yes
ssl_cert = <${cert}
ssl_key = <${key}
default_login_user = ${user}
default_internal_user = ${user}
default_internal_group = ${group}
service anvil {
  chroot =
}
${login('submission', ['submission', 'submissions'], ports.smtp)}
${login('imap', ['imap', 'imaps'], ports.imap)}
${login('pop3', ['pop3', 'pop3s'], ports.pop3)}
${users}`,
  );
  const { smtp, imap, pop3 } = ports;
  const daemon = await startDaemon(
    ['dovecot', '-F', '-c', file],
    [smtp, imap, pop3].flatMap(({ plain, tls }) => [plain, tls]),
  );
  started.push(daemon);
  return { ...daemon, ports };
}

const kinds = ['smtp', 'imap', 'pop3'] as const;
const ways = kinds.flatMap((type) =>
  (['none', 'starttls', 'implicit'] as const).map((tls) => ({ type, tls })),
);
const over = ways.filter(({ tls }) => tls !== 'none');

function asked(
  { ports }: Dovecot,
  { type, tls }: { type: Talk; tls: TalkTarget['tls'] },
  more: Partial<TalkTarget> = {},
): ResolvedCheck {
  const port = tls === 'implicit' ? ports[type].tls : ports[type].plain;
  const trust = tls === 'none' ? {} : { ca: certificates.ca, host: 'localhost' };
  return talk(type, port, { tls, ...trust, ...more });
}

describe('[3.5] the checks of mail, against a real Dovecot', () => {
  it.each(ways)('$type with tls $tls passes while the daemon is well', async (way) => {
    expect(await run(asked(well, way))).toEqual({
      ok: true,
      detail: expect.stringMatching(/^(220 |\* OK |\+OK ).*ready\.$/),
    });
  });

  it.each(over)('$type with tls $tls goes by the address where no host is said', async (way) => {
    const { host: _, ...without } = asked(well, way) as { host?: string };
    expect(await run(without as ResolvedCheck)).toMatchObject({ ok: true });
  });

  it.each(over)('$type with tls $tls fails when the certificate is for another name', async (way) => {
    expect(await run(asked(well, way, { host: 'mail.example.org' }))).toEqual({
      ok: false,
      detail: expect.stringMatching(/mail\.example\.org.*altnames/),
    });
  });

  it.each(over)('$type with tls $tls fails when nobody it knows vouches for the certificate', async (way) => {
    const why = { ok: false, detail: expect.stringMatching(/verify|unable to get|self-signed/) };
    expect(await run(asked(well, way, { ca: certificates.stranger }))).toEqual(why);
    const { ca: _, ...publicOnes } = asked(well, way) as { ca?: string };
    expect(await run(publicOnes as ResolvedCheck)).toEqual(why);
  });

  it.each(over)('$type with tls $tls takes any certificate only as the probe of a director', async (way) => {
    const probe = { ca: certificates.stranger, host: 'mail.example.org', certificate: 'any' as const };
    expect(await run(asked(well, way, probe))).toMatchObject({ ok: true });
  });

  it.each([
    ['smtp', 'imap', /^answered \* OK .*, wanted 220$/],
    ['imap', 'pop3', /^answered \+OK .*, wanted \* OK$/],
    ['pop3', 'smtp', /^answered 220 .*, wanted \+OK$/],
  ] as const)('%s fails when something else answers: %s', async (type, other, why) => {
    expect(await run(talk(type, well.ports[other].plain))).toEqual({
      ok: false,
      detail: expect.stringMatching(why),
    });
  });

  it('imap fails while no one can log in, where a tcp check passes', async () => {
    const { ports, stop } = await dovecot('broken', certificates.good, '');
    const { plain: port } = ports.imap;
    expect(await run({ ...timing, type: 'tcp', address: '127.0.0.1', port })).toMatchObject({ ok: true });
    expect(await run(talk('imap', port, { timeout: 20_000 }))).toEqual({
      ok: false,
      detail: expect.stringMatching(/^answered \* BYE .*, wanted \* OK$/),
    });
    await stop();
  });

  it('every one of them fails when the certificate has expired, and when the daemon is stopped', async () => {
    const late = await dovecot('late', certificates.expired);
    for (const way of over)
      expect(await run(asked(late, way))).toEqual({ ok: false, detail: 'certificate has expired' });
    await late.stop();
    for (const way of ways)
      expect(await run(asked(late, way))).toEqual({
        ok: false,
        detail: expect.stringContaining('ECONNREFUSED'),
      });
  });
});
