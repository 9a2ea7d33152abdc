/** HAProxy's own log of every request, received by syslog over UDP: which server it was sent to, and how it ended. */
import { createSocket } from 'node:dgram';

/** What HAProxy says of one request of the load. */
export interface LogLine {
  id: number;
  /** The last server it was sent to. */
  server: string;
  status: number;
  /** HAProxy's two letters for who ended the request and in which phase, such as `SH`: the server, at headers. */
  ended: string;
  retries: number;
  text: string;
}

export interface HaproxyLog {
  /** Where HAProxy sends it: `127.0.0.1:port`. */
  target: string;
  lines: Map<number, LogLine>;
  close(): Promise<void>;
}

const httplog =
  / \S+\/(?<server>\S+) [-+\d/]+ (?<status>-?\d+) \S+ \S+ \S+ (?<ended>\S\S)\S\S [\d/]+\/\+?(?<retries>\d+) .*[?&]load=(?<id>\d+)/;

/** A line of HAProxy's `httplog` format, when it is about a request of the load. */
export function parseLine(text: string): LogLine | undefined {
  const found = httplog.exec(text)?.groups;
  if (!found) return undefined;
  const { id, server = '', status, ended = '', retries } = found;
  return { id: Number(id), server, status: Number(status), ended, retries: Number(retries), text };
}

export function receiveHaproxyLog(): Promise<HaproxyLog> {
  const lines = new Map<number, LogLine>();
  const socket = createSocket({ type: 'udp4', recvBufferSize: 8 * 1024 * 1024 });
  socket.on('message', (message) => {
    const line = parseLine(message.toString('latin1'));
    if (line) lines.set(line.id, line);
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', () => {
      const close = () => new Promise<void>((done) => socket.close(() => done()));
      resolve({ target: `127.0.0.1:${socket.address().port}`, lines, close });
    });
  });
}
