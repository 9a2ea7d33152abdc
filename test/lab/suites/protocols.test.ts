/** All that is not HTTP over IPv4, through a VIP and from outside: IPv6, mail, names over UDP, and FTP with its data. */
import { Resolver } from 'node:dns/promises';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { dnsmasq, dovecot, PASSIVE, vsftpd } from '../daemons.ts';
import { visitor, visitor6 } from '../lan.ts';
import { useLab } from '../use-lab.ts';
import { visit } from '../visit.ts';
import { director, furnish, site, VIP, webNode } from '../web.ts';

const VIP6 = 'fd77::100';
const names = ['w1', 'w2'];
const WAIT_MS = 3_000;

const checks = [
  { name: 'pop3', type: 'pop3', port: '110' },
  { name: 'smtp', type: 'smtp', port: '587' },
  { name: 'imap', type: 'imap', port: '143' },
  { name: 'ftp', type: 'ftp', port: '21' },
  { name: 'dns', type: 'dns', query: 'who.example.org', record: 'TXT' },
].map((check) => ({ ...check, interval: '2s', timeout: '5s', fall: 2, rise: 1 }));

/** Daemons that somebody else keeps: the policy only looks at them. */
const policy = [
  { kind: 'Template', name: 'test/seen.hbs', spec: { syntax: 'plain', text: 'at {{node.address}}' } },
  {
    kind: 'Policy',
    name: 'others',
    spec: { role: 'web', files: [{ template: 'test/seen.hbs', path: 'seen.txt' }], checks },
  },
];

const service = (check: string, ports: number[], more: object = {}) => ({
  kind: 'VirtualService',
  name: check,
  spec: {
    vip: VIP,
    ports,
    protocol: 'tcp',
    scheduler: 'rr',
    pool: { role: 'web', check, probe: { type: check, interval: '2s', timeout: '5s', fall: 2, rise: 1 } },
    fallback: 'none',
    ...more,
  },
});
const overUdp = {
  type: 'dns',
  query: 'who.example.org',
  record: 'TXT',
  interval: '2s',
  timeout: '5s',
  rise: 1,
};
const overWeb = (forwarding: string) =>
  service('http', [80], {
    vip: VIP6,
    protocol: 'http',
    forwarding,
    pool: {
      role: 'web',
      check: 'http',
      probe: { type: 'http', path: '/', interval: '2s', timeout: '5s', rise: 1 },
    },
  });

const lab = useLab({ nodes: [director('d1'), ...names.map((name) => webNode(name))] });

const documents = [
  site,
  ...policy,
  service('smtp', [587]),
  service('pop3', [110]),
  service('imap', [143]),
  service('ftp', [21, ...PASSIVE], { groupPorts: true, persistence: { seconds: 60 } }),
  service('dns', [53], { protocol: 'udp', pool: { role: 'web', check: 'dns', probe: overUdp } }),
];

const box = (name: string) => lab().box(name);
const table = () => box('d1').run('cat /proc/net/ip_vs');

/** How many members take new connections, in all services. */
const takingIn = async () =>
  (await table()).split('\n').filter((line) => /->.* (Route|Tunnel) +[1-9]/.test(line)).length;

beforeAll(async () => {
  await furnish(names.map(box), lab().folder);
  for (const name of names) {
    await box(name).keep('mail', dovecot(name, 'imap pop3 submission'));
    await box(name).keep('ftp', vsftpd(name));
    await box(name).keep('dns', dnsmasq(name));
  }
  for (const name of ['d1', ...names])
    await lab().api.call('patch', {
      params: { kind: 'Node', name },
      body: { spec: { address6: box(name).address6 } },
    });
  await lab().apply([...documents, overWeb('DR')]);
  await lab().settled();
  const rows = 6 * names.length;
  await until('every service has both members', async () => (await takingIn()) === rows, 60_000);
}, 240_000);

/** The words of a connection, line by line. */
async function talk(from: string, port: number, host = VIP) {
  const socket = connect({ host, port, localAddress: from, signal: AbortSignal.timeout(WAIT_MS) } as never);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const failed = new Promise<never>((_, reject) => socket.once('error', reject));
  return {
    socket,
    line: async (): Promise<string> => (await Promise.race([lines.next(), failed])).value ?? '',
    say: (text: string) => socket.write(`${text}\r\n`),
  };
}

async function greeting(from: string, port: number): Promise<string> {
  const { socket, line } = await talk(from, port);
  const text = await line();
  socket.destroy();
  return /w[0-9]/.exec(text)?.[0] ?? text;
}

/** Who greets at the control port, and who sends the file over a passive port. */
async function fetchByFtp(from: string): Promise<[greeted: string, sent: string]> {
  const control = await talk(from, 21);
  const greeted = (await control.line()).replace(/^220 /, '');
  const ask = async (command: string) => {
    control.say(command);
    return control.line();
  };
  await ask('USER anonymous');
  expect(await ask('PASS visitor@example.org')).toMatch(/^230/);
  const passive = await ask('PASV');
  const [high = 0, low = 0] = (/\(([0-9,]+)\)/.exec(passive)?.[1] ?? '').split(',').slice(4).map(Number);
  const data = await talk(from, high * 256 + low);
  expect(await ask('RETR who')).toMatch(/^150/);
  const sent = await data.line();
  for (const { socket } of [control, data]) (socket as Socket).destroy();
  return [greeted, sent];
}

const five = [1, 2, 3, 4, 5, 6].map(visitor);

describe('[3.3] through a VIP', () => {
  it.each([
    ['SMTP', 587],
    ['POP3', 110],
    ['IMAP', 143],
  ])('%s greets a visitor from one member and the next', async (_, port) => {
    const met: string[] = [];
    for (const from of five) met.push(await greeting(from, port));
    expect([...met].sort()).toEqual(['w1', 'w1', 'w1', 'w2', 'w2', 'w2']);
  });

  it('names are answered over UDP, by both', async () => {
    const met = await Promise.all(
      five.map(async (from) => {
        const resolver = new Resolver({ timeout: WAIT_MS, tries: 1 });
        resolver.setServers([VIP]);
        resolver.setLocalAddress(from);
        return (await resolver.resolveTxt('who.example.org')).flat().join();
      }),
    );
    expect(new Set(met)).toEqual(new Set(names));
  });

  it('FTP gets its data from the member that greeted, over a passive port of the same group', async () => {
    const met = new Set<string>();
    for (const from of five) {
      const [greeted, sent] = await fetchByFtp(from);
      expect(sent).toBe(greeted);
      met.add(sent);
    }
    expect(met).toEqual(new Set(names));
  });

  it.each([
    ['DR', 'Route'],
    ['TUN', 'Tunnel'],
  ])('HTTP over IPv6 by %s reaches both members, and no request fails', async (forwarding, way) => {
    await lab().apply([overWeb(forwarding)]);
    const taking = new RegExp(`\\]:0050 +${way} +[1-9]`);
    const isSo = async () => (await table()).split('\n').filter((line) => taking.test(line)).length === 2;
    await until('the table is as declared', isSo, 30_000);
    await lab().settled();
    // Members follow a moment after the director, and are out of the pool until they have.
    await until('both take visitors', isSo, 30_000);
    const from = [1, 2, 3].map(visitor6);
    const { split, failed } = await visit({ url: `http://[${VIP6}]/`, count: 200, parallel: 4, from });
    process.stdout.write(`IPv6 by ${forwarding}, 200 requests: ${JSON.stringify(split)}\n`);
    expect(failed).toEqual([]);
    expect(split).toEqual({ w1: 100, w2: 100 });
  });
});
