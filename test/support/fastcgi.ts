/** A FastCGI responder as PHP-FPM is one, for tests: it answers with the script that it was asked for, or 404 where there is none. */
import { existsSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';

const [END, PARAMS, STDIN, STDOUT] = [3, 4, 5, 6];
const HEADER = 8;

/** @returns its undo */
export async function startFastCgi(socket: string): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const server = createServer((connection) => {
    open.add(connection);
    connection.once('close', () => open.delete(connection));
    connection.on('error', () => connection.destroy());
    let rest = Buffer.alloc(0);
    let params = Buffer.alloc(0);
    connection.on('data', (part: Buffer) => {
      rest = Buffer.concat([rest, part]);
      while (rest.length >= HEADER) {
        const [type, id, length] = [rest[1], rest.readUInt16BE(2), rest.readUInt16BE(4)];
        const whole = HEADER + length + (rest[6] ?? 0);
        if (rest.length < whole) return;
        const content = rest.subarray(HEADER, HEADER + length);
        rest = rest.subarray(whole);
        if (type === PARAMS) params = Buffer.concat([params, content]);
        if (type !== STDIN || length > 0) continue;
        connection.write(record(STDOUT, id, answerTo(pairsIn(params))));
        connection.write(record(STDOUT, id, ''));
        connection.end(record(END, id, '\0'.repeat(8)));
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: socket, writableAll: true, readableAll: true }, resolve);
  });
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const connection of open) connection.destroy();
    await closed;
  };
}

/** As PHP-FPM does, it takes away what Apache puts before a path. */
function answerTo(params: Map<string, string>): string {
  const script = (params.get('SCRIPT_FILENAME') ?? '')
    .replace(/^proxy:fcgi:\/\/[^/]+/, '')
    .replace(/\?.*$/, '');
  if (!existsSync(script)) return 'Status: 404 Not Found\r\nContent-Type: text/html\r\n\r\nFile not found.\n';
  const said = ['PATH_INFO', 'QUERY_STRING', 'REQUEST_METHOD', 'REQUEST_URI'].map(
    (name) => `${name}=${params.get(name) ?? ''}`,
  );
  return `Content-Type: text/plain\r\n\r\n${[script.split('/').at(-1), ...said].join(' ')}`;
}

function record(type: number, id: number, text: string): Buffer {
  const content = Buffer.from(text);
  const head = Buffer.from([1, type, id >> 8, id & 255, content.length >> 8, content.length & 255, 0, 0]);
  return Buffer.concat([head, content]);
}

/** Lengths below 128 are one byte, others four. */
function pairsIn(bytes: Buffer): Map<string, string> {
  const pairs = new Map<string, string>();
  let at = 0;
  const length = () => {
    const first = bytes[at] ?? 0;
    at += first < 128 ? 1 : 4;
    return first < 128 ? first : bytes.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < bytes.length) {
    const [name, value] = [length(), length()];
    pairs.set(bytes.toString('utf8', at, at + name), bytes.toString('utf8', at + name, at + name + value));
    at += name + value;
  }
  return pairs;
}
