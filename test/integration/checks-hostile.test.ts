/** Checks against daemons that mean ill, or are very ill: whatever they send, the check fails in one line and holds nothing. */
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { decode, encode, type Packet } from 'dns-packet';
import { afterEach, describe, expect, it } from 'vitest';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { until } from '../support/until.ts';
import { run, type Talk, talk, timing } from './checks.ts';

let undo: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const act of undo.reverse()) await act();
  undo = [];
});

interface Hostile {
  port: number;
  /** How many connections the other side still has. */
  open(): number;
  /** What it was told. */
  heard(): string;
}

async function hostile(behave: (socket: Socket) => void): Promise<Hostile> {
  const sockets = new Set<Socket>();
  let heard = '';
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // we are hung up on in the middle of a word
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (part) => {
      heard += part.toString('latin1');
    });
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => new Promise((resolve) => server.close(resolve)));
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, open: () => sockets.size, heard: () => heard };
}

/** Says it again for as long as somebody listens. */
function forEver(socket: Socket, text: string | Buffer, pause: number): void {
  const timer = setInterval(() => socket.write(text), pause);
  socket.on('close', () => clearInterval(timer));
}

const greetings: Record<Talk, string> = { smtp: '220', imap: '*', pop3: '+OK', ftp: '220' };
const kinds = Object.keys(greetings) as Talk[];
/** One line for people, whatever was sent. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const LINE = /^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{1,500}$/;

const behaviours: [string, (socket: Socket, type: Talk) => void, RegExp][] = [
  ['silence', () => undefined, /^no answer within 300 ms$/],
  ['a door that is shut at once', (socket) => socket.destroy(), /closed the connection|ECONNRESET/],
  ['a goodbye without a word', (socket) => socket.end(), /^closed the connection$/],
  [
    'half a line',
    (socket, type) => socket.end(greetings[type]),
    /^closed the connection after (220|\*|\+OK)$/,
  ],
  [
    'a line without end',
    (socket) => forEver(socket, 'x'.repeat(8192), 1),
    /^said more than 65536 bytes: x+$/,
  ],
  ['a line that comes drop by drop', (socket) => forEver(socket, '2', 20), /^no answer within 300 ms$/],
  [
    'bytes of no language',
    (socket) => socket.end(Buffer.from([0, 1, 0x9b, 0xff, 0x1b, 0x5b, 0x32, 0x4a, 0xe2, 0x80, 0xa8, 7, 10])),
    /^answered .*, wanted (220|\* OK|\+OK)$/,
  ],
  ['an empty line', (socket) => socket.write('\r\n'), /^answered , wanted (220|\* OK|\+OK)$/],
];
const cases = kinds.flatMap((type) => behaviours.map(([name, behave, why]) => ({ type, name, behave, why })));

describe('[3.5] a daemon that cannot be talked to', () => {
  it.each(cases)('$type: $name', async ({ type, behave, why }) => {
    const { port, open } = await hostile((socket) => behave(socket, type));
    const { ok, detail } = await run(talk(type, port, { timeout: why.source.includes('300') ? 300 : 5000 }));
    expect(ok).toBe(false);
    expect(detail).toMatch(why);
    expect(detail).toMatch(LINE);
    await until('nothing is left open', () => open() === 0);
  });

  it.each([
    ['smtp', '220-and more\r\n'],
    ['ftp', 'and more\r\n'],
  ] as const)('%s: a reply that never ends is cut off', async (type, more) => {
    const { port, open } = await hostile((socket) => {
      socket.write('220-first\r\n');
      forEver(socket, more.repeat(1000), 1);
    });
    expect(await run(talk(type, port))).toEqual({
      ok: false,
      detail: expect.stringContaining('said more than 65536 bytes'),
    });
    await until('nothing is left open', () => open() === 0);
  });

  it('imap: lines that are never the answer are cut off', async () => {
    const { port } = await hostile((socket) => {
      socket.write('* OK well\r\n');
      forEver(socket, '* 1 EXISTS\r\n'.repeat(1000), 1);
    });
    expect((await run(talk('imap', port))).detail).toContain('said more than 65536 bytes');
  });
});

/** Answers each line with the next of these. */
const script = (greeting: string, answers: readonly string[]) => (socket: Socket) => {
  const left = [...answers];
  socket.write(`${greeting}\r\n`);
  socket.on('data', () => socket.write(left.shift() ?? ''));
};

const agreements: Record<Talk, { greeting: string; answers: string[] }> = {
  smtp: { greeting: '220 well', answers: ['250 well\r\n', '220 go on\r\n'] },
  imap: { greeting: '* OK well', answers: ['* CAPABILITY IMAP4rev1\r\na1 OK\r\n', 'a2 OK\r\n'] },
  pop3: { greeting: '+OK well', answers: ['+OK go on\r\n'] },
  ftp: { greeting: '220 well', answers: ['234 go on\r\n'] },
};

describe('[3.5] a daemon that agrees to TLS, and', () => {
  it.each(kinds)('%s: then says nothing, fails in time', async (type) => {
    const { greeting, answers } = agreements[type];
    const { port, open } = await hostile(script(greeting, answers));
    expect(await run(talk(type, port, { tls: 'starttls', timeout: 300 }))).toEqual({
      ok: false,
      detail: 'no answer within 300 ms',
    });
    await until('nothing is left open', () => open() === 0);
  });

  it.each(kinds)('%s: speaks on in plain, is not believed', async (type) => {
    const { greeting, answers } = agreements[type];
    const spoken = [...answers.slice(0, -1), `${answers.at(-1)}250 injected\r\n`];
    const { port, open } = await hostile(script(greeting, spoken));
    expect(await run(talk(type, port, { tls: 'starttls' }))).toEqual({
      ok: false,
      detail: 'spoke on after it had agreed to TLS',
    });
    await until('nothing is left open', () => open() === 0);
  });

  it.each(kinds)('%s: sends rubbish for a handshake, ends nothing but the check', async (type) => {
    const { greeting, answers } = agreements[type];
    const { port, open } = await hostile((socket) => {
      script(greeting, answers)(socket);
      socket.on('data', () => setTimeout(() => socket.write('rubbish '.repeat(100)), 1));
    });
    const { ok, detail } = await run(talk(type, port, { tls: 'starttls', timeout: 1000 }));
    expect(ok).toBe(false);
    expect(detail).toMatch(LINE);
    await until('nothing is left open', () => open() === 0);
  });

  it.each(kinds)('%s: had spoken on before we began, ends nothing but the check', async (type) => {
    const { greeting, answers } = agreements[type];
    const folder = await mkdtemp(join(tmpdir(), 'evenkeel-hostile-'));
    undo.push(() => rm(folder, { recursive: true }));
    // A file that gives nothing until somebody writes it: our side is held between the agreement and the handshake.
    const ca = join(folder, 'ca.crt');
    await promisify(execFile)('mkfifo', [ca]);
    const { port, open } = await hostile((socket) => {
      script(greeting, answers)(socket);
      let lines = 0;
      socket.on('data', () => {
        lines += 1;
        if (lines === answers.length)
          setTimeout(() => socket.write('rubbish '.repeat(100), () => void release()), 50);
      });
    });
    const release = async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      await writeFile(ca, '');
    };
    const { ok, detail } = await run(talk(type, port, { tls: 'starttls', ca }));
    expect(ok).toBe(false);
    expect(detail).toMatch(/wrong version number|packet length|unexpected/i);
    await until('nothing is left open', () => open() === 0);
  });

  it.each(kinds)('%s: hangs up, fails at once', async (type) => {
    const { greeting, answers } = agreements[type];
    const { port } = await hostile((socket) => {
      script(greeting, answers)(socket);
      let lines = 0;
      socket.on('data', () => {
        lines += 1;
        if (lines > answers.length) socket.destroy();
      });
    });
    const { ok, detail } = await run(talk(type, port, { tls: 'starttls' }));
    expect(ok).toBe(false);
    expect(detail).toMatch(/disconnected|ECONNRESET|closed/);
  });

  it.each([
    ['smtp', ['250 well\r\n', '454 no\r\n'], 'answered 454 no, wanted 220'],
    ['imap', ['a1 OK\r\n', 'a2 NO never\r\n'], 'answered NO never to STARTTLS, wanted OK'],
    ['pop3', ['-ERR no\r\n'], 'answered -ERR no, wanted +OK'],
    ['ftp', ['502 no\r\n'], 'answered 502 no, wanted 234'],
  ] as const)('%s: does not, fails and is asked nothing more', async (type, answers, detail) => {
    const { port, heard } = await hostile(script(agreements[type].greeting, answers));
    expect(await run(talk(type, port, { tls: 'starttls' }))).toEqual({ ok: false, detail });
    expect(heard()).not.toMatch(/QUIT|LOGOUT/);
  });
});

const dns = (port: number, transport: 'udp' | 'tcp', timeout = 5000): ResolvedCheck => ({
  ...timing,
  timeout,
  type: 'dns',
  address: '127.0.0.1',
  port,
  transport,
  query: 'www.example.org',
  record: 'A',
});

async function hostileDatagrams(answer: (question: Packet) => Buffer[]): Promise<number> {
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    for (const each of answer(decode(message))) socket.send(each, port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  undo.push(() => void socket.close());
  return socket.address().port;
}

const datagramSockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'UDPWrap').length;

const NO_MESSAGE = 'answered what is no DNS message: it claims more than it has, or is too long';

describe('[3.5] a daemon that speaks no DNS', () => {
  it.each([
    ['silence', () => [], 'no answer within 300 ms'],
    ['rubbish', () => [Buffer.from('rubbish')], NO_MESSAGE],
    ['the question itself', (question: Packet) => [encode(question)], 'no answer within 300 ms'],
    [
      'the answer to another question',
      ({ id = 0 }: Packet) => [encode({ type: 'response', id: (id + 1) % 65_536 })],
      'no answer within 300 ms',
    ],
    [
      'a record that is cut off',
      ({ id = 0 }: Packet) => {
        const answers = [{ type: 'A' as const, name: 'www.example.org', data: '192.0.2.1' }];
        return [encode({ type: 'response', id, answers }).subarray(0, -1)];
      },
      /^answered what is no DNS message: (?!it claims)/,
    ],
    [
      'more records than it sends',
      ({ id = 0 }: Packet) => {
        const message = encode({ type: 'response', id });
        message.writeUInt16BE(65_535, 6);
        return [message];
      },
      NO_MESSAGE,
    ],
  ])('over udp: %s', async (_, answer, why) => {
    await until('those of earlier tests are closed', () => datagramSockets() === 0);
    const port = await hostileDatagrams(answer);
    const { ok, detail } = await run(dns(port, 'udp', 300));
    expect(ok).toBe(false);
    await until('nothing is left open but theirs', () => datagramSockets() === 1);
    if (typeof why === 'string') expect(detail).toBe(why);
    else expect(detail).toMatch(why);
  });

  it('over udp: what others send in between does no harm', async () => {
    const port = await hostileDatagrams((question) => [
      encode({ type: 'response', id: ((question.id ?? 0) + 1) % 65_536 }),
      encode({
        type: 'response',
        id: question.id ?? 0,
        answers: [{ type: 'A', name: 'www.example.org', data: '192.0.2.1' }],
      }),
    ]);
    expect(await run(dns(port, 'udp'))).toEqual({ ok: true, detail: 'A www.example.org is 192.0.2.1' });
  });

  it.each([
    ['silence', () => undefined, 'no answer within 300 ms'],
    ['a goodbye', (socket: Socket) => socket.end(), 'closed the connection before it had answered'],
    [
      'half an answer',
      (socket: Socket) => socket.end(Buffer.from([0])),
      'closed the connection before it had answered',
    ],
    [
      'a length without an answer',
      (socket: Socket) => socket.write(Buffer.from([255, 255])),
      'no answer within 300 ms',
    ],
    ['an answer of nothing', (socket: Socket) => socket.write(Buffer.from([0, 0])), NO_MESSAGE],
    [
      'an answer that comes drop by drop',
      (socket: Socket) => forEver(socket, 'x', 20),
      'no answer within 300 ms',
    ],
  ] as const)('over tcp: %s', async (_, behave, detail) => {
    const { port, open } = await hostile(behave);
    expect(await run(dns(port, 'tcp', 300))).toEqual({ ok: false, detail });
    await until('nothing is left open', () => open() === 0);
  });
});
