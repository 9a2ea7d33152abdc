/** The dns check against a real dnsmasq, over UDP and TCP: what it answers, what it refuses, and what does not fit. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { type Daemon, startDaemon } from '../support/daemon.ts';
import { run, timing } from './checks.ts';
import { freePort } from './web-nodes.ts';

type Dns = Extract<ResolvedCheck, { type: 'dns' }>;

let port: number;
let daemon: Daemon;
const MANY = Array.from({ length: 60 }, (_, index) => `192.0.2.${index + 100}`);

beforeAll(async () => {
  port = await freePort();
  daemon = await startDaemon(
    [
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--user='],
      ...['--bind-interfaces', '--listen-address=127.0.0.1', `--port=${port}`, '--no-resolv', '--no-hosts'],
      ...['--local=/example.org/', '--host-record=www.example.org,192.0.2.1,2001:db8::1'],
      ...['--mx-host=example.org,mail.example.org,10', '--txt-record=example.org,well and good'],
      ...[
        '--cname=web.example.org,www.example.org',
        '--srv-host=_imap._tcp.example.org,mail.example.org,143',
      ],
      ...['--ptr-record=1.2.0.192.in-addr.arpa,www.example.org'],
      ...MANY.map((address) => `--host-record=many.example.org,${address}`),
    ],
    [port],
  );
});
afterAll(() => daemon.stop());

const asked = (more: Partial<Dns> = {}): Dns => ({
  ...timing,
  type: 'dns',
  address: '127.0.0.1',
  port,
  transport: 'udp',
  query: 'www.example.org',
  record: 'A',
  ...more,
});

describe('[3.5] the dns check, against a real dnsmasq', () => {
  it.each(['udp', 'tcp'] as const)(
    'over %s passes with an answer, and with the one expected',
    async (transport) => {
      const fine = { ok: true, detail: 'A www.example.org is 192.0.2.1' };
      expect(await run(asked({ transport }))).toEqual(fine);
      expect(await run(asked({ transport, expect: '192.0.2.1' }))).toEqual(fine);
    },
  );

  it.each(['udp', 'tcp'] as const)(
    'over %s fails with another answer, and with a refusal',
    async (transport) => {
      expect(await run(asked({ transport, expect: '192.0.2.10' }))).toEqual({
        ok: false,
        detail: 'A www.example.org is 192.0.2.1, and not the expected 192.0.2.10',
      });
      expect(await run(asked({ transport, query: 'none.example.org' }))).toEqual({
        ok: false,
        detail: 'answered NXDOMAIN to A none.example.org',
      });
      expect(await run(asked({ transport, query: 'elsewhere.test' }))).toEqual({
        ok: false,
        detail: 'answered REFUSED to A elsewhere.test',
      });
    },
  );

  it.each([
    ['AAAA', 'www.example.org', '2001:db8::1'],
    ['CNAME', 'web.example.org', 'WWW.example.org.'],
    ['MX', 'example.org', '10 mail.example.org'],
    ['TXT', 'example.org', 'well and good'],
    ['SRV', '_imap._tcp.example.org', '0 0 143 mail.example.org'],
    ['PTR', '1.2.0.192.in-addr.arpa', 'www.example.org'],
  ] as const)('knows %s of %s', async (record, query, expected) => {
    expect(await run(asked({ record, query, expect: expected }))).toMatchObject({ ok: true });
    expect(await run(asked({ record, query, expect: `${expected}x` }))).toMatchObject({ ok: false });
  });

  it('passes with no answer at all where none is expected and none is an error', async () => {
    const query = { query: 'www.example.org', record: 'MX' as const };
    expect(await run(asked(query))).toEqual({ ok: true, detail: 'MX www.example.org is nothing' });
    expect(await run(asked({ ...query, expect: '10 mail.example.org' }))).toMatchObject({ ok: false });
  });

  it('says so when what is expected does not fit into UDP, and finds it over TCP', async () => {
    const all = { query: 'many.example.org' };
    const over = (transport: 'udp' | 'tcp', address: string) =>
      run(asked({ ...all, transport, expect: address }));
    for (const address of MANY) expect(await over('tcp', address)).toMatchObject({ ok: true });
    const lost = (await Promise.all(MANY.map((address) => over('udp', address)))).filter(({ ok }) => !ok);
    expect(lost.length).toBeGreaterThan(0);
    expect(lost[0]?.detail).toMatch(/ask over tcp$/);
  });

  it('fails while the daemon hangs, and when it is stopped', async () => {
    daemon.child.kill('SIGSTOP');
    for (const transport of ['udp', 'tcp'] as const)
      expect(await run(asked({ transport, timeout: 200 }))).toEqual({
        ok: false,
        detail: 'no answer within 200 ms',
      });
    await daemon.stop();
    for (const transport of ['udp', 'tcp'] as const)
      expect(await run(asked({ transport }))).toEqual({
        ok: false,
        detail: expect.stringContaining('ECONNREFUSED'),
      });
  });
});
