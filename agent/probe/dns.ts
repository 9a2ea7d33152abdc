/** The dns check: one question, over UDP or TCP, judged by the code of the answer and by what it says. */
import { randomInt } from 'node:crypto';
import { createSocket, type Socket as Datagrams } from 'node:dgram';
import { once } from 'node:events';
import { connect, isIPv6 } from 'node:net';
import {
  type Answer,
  type DecodedPacket,
  decode,
  encode,
  type Packet,
  RECURSION_DESIRED,
  streamEncode,
} from 'dns-packet';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { messageOf } from '../../protocol/errors.ts';
import { type CheckResult, failed, passed } from './result.ts';

/** What comes out of `decode`; its types do not know all of it. */
type Reply = DecodedPacket & { rcode: string; answers: Answer[] };
export type DnsTarget = Extract<ResolvedCheck, { type: 'dns' }>;

/** @param signal ends the attempt */
export async function checkDns(target: DnsTarget, signal: AbortSignal): Promise<CheckResult> {
  const { query, record, expect } = target;
  const question: Packet = {
    type: 'query',
    id: randomInt(65_536),
    flags: RECURSION_DESIRED,
    questions: [{ type: record, name: query }],
  };
  const how = target.transport === 'udp' ? overUdp : overTcp;
  const { rcode, flag_tc: cut, answers } = await how(target, question, signal);
  if (rcode !== 'NOERROR') return failed(`answered ${rcode} to ${record} ${query}`);
  const texts = answers.filter(({ type }) => type === record).map(textOf);
  const found = `${record} ${query} is ${texts.join(', ') || 'nothing'}`;
  if (expect === undefined || texts.some((text) => plain(text) === plain(expect))) return passed(found);
  return failed(
    cut ? `${found}, and more that does not fit: ask over tcp` : `${found}, and not the expected ${expect}`,
  );
}

interface At {
  address: string;
  port: number;
}

async function overUdp({ address, port }: At, question: Packet, signal: AbortSignal): Promise<Reply> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', signal });
  // Whoever waits for the socket gets its error; this listener is for the moments in which nobody waits.
  socket.on('error', () => undefined);
  try {
    // Connected: the kernel passes on what comes from there alone, and that nobody listens there.
    socket.connect(port, address);
    await once(socket, 'connect', { signal });
    socket.send(encode(question));
    return await answerTo(question, socket, signal);
  } finally {
    if (!signal.aborted) socket.close();
  }
}

/** What answers another question than ours is not for us. */
async function answerTo(question: Packet, socket: Datagrams, signal: AbortSignal): Promise<Reply> {
  for (;;) {
    const [message] = (await once(socket, 'message', { signal })) as [Buffer];
    const answer = read(message);
    if (answers(question, answer)) return answer;
  }
}

async function overTcp({ address, port }: At, question: Packet, signal: AbortSignal): Promise<Reply> {
  const socket = connect({ host: address, port, signal });
  socket.write(streamEncode(question));
  let held: Buffer = Buffer.alloc(0);
  // The first two bytes are the length; leaving the loop destroys the socket.
  for await (const part of socket as AsyncIterable<Buffer>) {
    held = Buffer.concat([held, part]);
    const length = held.length < 2 ? LARGEST_ANSWER : Math.min(held.readUInt16BE(0), LARGEST_ANSWER + 1);
    if (held.length < 2 + length) continue;
    const answer = read(held.subarray(2, 2 + length));
    if (answers(question, answer)) return answer;
    throw new Error('answered another question than ours');
  }
  throw new Error('closed the connection before it had answered');
}

/** Far more than any answer that a check can be about. */
const LARGEST_ANSWER = 8 * 1024;

/** @throws for what is no message, before its reading can hold this process up: `decode` tries as much as is claimed */
function read(message: Buffer): Reply {
  if (message.length > LARGEST_ANSWER || leastLength(message) > message.length)
    throw new Error('answered what is no DNS message: it claims more than it has, or is too long');
  try {
    const reply = decode(message) as Reply;
    if (decode.bytes > message.length) throw new Error('it is cut off');
    return reply;
  } catch (err) {
    throw new Error(`answered what is no DNS message: ${messageOf(err)}`, { cause: err });
  }
}

/** A question takes five bytes at least, a record eleven. */
function leastLength(message: Buffer): number {
  if (message.length < 12) return 12;
  const [questions = 0, ...records] = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  return 12 + questions * 5 + records.reduce((sum, count) => sum + count, 0) * 11;
}

const answers = ({ id }: Packet, answer: Reply): boolean => answer.type === 'response' && answer.id === id;

/** As `dig +short` writes it. */
function textOf(answer: Answer): string {
  switch (answer.type) {
    case 'A':
    case 'AAAA':
    case 'CNAME':
    case 'NS':
    case 'PTR':
      return answer.data;
    case 'MX':
      return `${answer.data.preference} ${answer.data.exchange}`;
    case 'SRV':
      return `${answer.data.priority} ${answer.data.weight} ${answer.data.port} ${answer.data.target}`;
    case 'TXT':
      return [answer.data].flat().join('');
    case 'SOA': {
      const { mname, rname, serial, refresh, retry, expire, minimum } = answer.data;
      return `${mname} ${rname} ${serial} ${refresh} ${retry} ${expire} ${minimum}`;
    }
    default:
      return '';
  }
}

/** Upper and lower case and a last dot make no difference. */
const plain = (text: string): string => text.toLowerCase().replace(/\.$/, '');
