/** The door on the box itself: HTTP on a Unix socket that only root may open. Small, so that the agent stays small. */
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { dirname } from 'node:path';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Log } from '../../common/log.ts';
import { EvenkeelError, errors, messageOf } from '../../protocol/errors.ts';
import { type LocalAnswer, type LocalBody, type LocalName, localApi } from '../../protocol/local.ts';
import { problemsOf } from '../../protocol/resource.ts';

export type LocalHandlers = {
  [N in LocalName]: (body: LocalBody<N>) => LocalAnswer<N> | Promise<LocalAnswer<N>>;
};

export interface LocalDoorOptions {
  /** The path of the socket. */
  socket: string;
  handlers: LocalHandlers;
  log: Log;
}

const LONGEST_BODY = 16 * 1024;
const PATIENCE_MS = 30_000;
const MOST_CONNECTIONS = 16;

/** Opens the door; returns its undo. A socket that a killed agent has left gives way: the lock says that it is dead. */
export async function openLocalDoor({
  socket,
  handlers,
  log,
}: LocalDoorOptions): Promise<() => Promise<void>> {
  await mkdir(dirname(socket), { recursive: true });
  await rm(socket, { force: true });
  const server = createServer(
    { requestTimeout: PATIENCE_MS, headersTimeout: PATIENCE_MS },
    (request, response) => {
      void answer(request, handlers).then(
        (body) => send(response, 200, body),
        (err: unknown) => refuse(response, err, log),
      );
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  await listen(server, socket);
  return async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(socket, { force: true });
  };
}

/** From its first moment nobody but root can open it: Node makes such a socket before `listen` returns, under this mask. */
async function listen(server: Server, socket: string): Promise<void> {
  const listening = once(server, 'listening');
  const mask = process.umask(0o177);
  server.listen(socket);
  process.umask(mask);
  await listening;
}

async function answer(request: IncomingMessage, handlers: LocalHandlers): Promise<unknown> {
  for (const [name, { method, path, ...row }] of Object.entries(localApi)) {
    if (request.method !== method || request.url !== path) continue;
    const body = 'body' in row ? checked(row.body, await read(request)) : undefined;
    return (handlers[name as LocalName] as (body: unknown) => unknown)(body);
  }
  throw new EvenkeelError('not-found', `${request.method} ${request.url} is nothing that this box answers`);
}

function checked(schema: TSchema, value: unknown): unknown {
  const shape = Compile(schema);
  if (shape.Check(value)) return value;
  throw new EvenkeelError('bad-request', 'the request is not right', {
    problems: problemsOf(shape, value, (path) => path),
  });
}

async function read(request: IncomingMessage): Promise<unknown> {
  let text = '';
  request.setEncoding('utf8');
  for await (const part of request) {
    text += String(part);
    if (text.length > LONGEST_BODY) throw new EvenkeelError('bad-request', 'the request is too long');
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new EvenkeelError('bad-request', `the request is no JSON: ${messageOf(cause)}`, { cause });
  }
}

function refuse(response: ServerResponse, err: unknown, log: Log): void {
  if (!(err instanceof EvenkeelError)) log.error({ err: messageOf(err) }, 'a local request failed');
  const code = err instanceof EvenkeelError ? err.code : 'internal';
  const problems = err instanceof EvenkeelError ? err.problems : [];
  send(response, errors[code].status, { code, detail: messageOf(err), problems });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
  response.end(JSON.stringify(body));
}
