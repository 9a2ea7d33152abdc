/** Asks the agent of this box, at its socket. */
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { refusalIn } from '../common/request.ts';
import { EvenkeelError } from '../protocol/errors.ts';
import {
  LOCAL_SOCKET,
  type LocalAnswer,
  type LocalBody,
  type LocalName,
  localApi,
} from '../protocol/local.ts';
import { UsageError } from './failure.ts';

/** Where the agent of an installed box has its socket. */
export const RUN_FOLDER = '/run/evenkeel';

/** A plan of many sites takes its time. */
const PATIENCE_MS = 30_000;
const LARGEST = 64 * 1024 * 1024;

/**
 * @param run the run folder of the agent
 * @throws UsageError when no agent can be asked; EvenkeelError with what it refuses
 */
export async function askLocal<N extends LocalName>(
  run: string,
  name: N,
  body?: LocalBody<N>,
): Promise<LocalAnswer<N>> {
  const { method, path, answer } = localApi[name];
  const socketPath = join(run, LOCAL_SOCKET);
  const { status, text } = await exchange(socketPath, method, path, body);
  const value: unknown = JSON.parse(text);
  if (status !== 200) throw refusalIn({ status, body: value, retryAfter: undefined });
  if (Compile(answer as TSchema).Check(value)) return value as LocalAnswer<N>;
  throw new EvenkeelError('internal', 'the agent answers in another way than this evenkeel understands');
}

function exchange(socketPath: string, method: string, path: string, body: unknown) {
  const payload = body === undefined ? '' : JSON.stringify(body);
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const asked = request({ socketPath, method, path, timeout: PATIENCE_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > LARGEST) asked.destroy(new Error('the answer is too long'));
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    asked.on('timeout', () =>
      asked.destroy(new EvenkeelError('timeout', 'the agent did not answer in time')),
    );
    asked.on('error', (err: NodeJS.ErrnoException) => reject(explained(err, socketPath)));
    asked.end(payload);
  });
}

function explained(err: NodeJS.ErrnoException, socketPath: string): Error {
  if (err.code === 'EACCES')
    return new UsageError(`only root may ask the agent of this box (${socketPath})`, 'run it with sudo');
  if (err.code !== 'ENOENT' && err.code !== 'ECONNREFUSED') return err;
  const inner = join(dirname(socketPath), 'run');
  if (existsSync(join(inner, LOCAL_SOCKET)))
    return new UsageError(
      `no agent is asked at ${socketPath}: it listens one folder below`,
      `--run ${inner}`,
    );
  const fix = existsSync('/run/systemd/system')
    ? 'systemctl status evenkeel-agent says why; --run FOLDER where it has another run folder'
    : 'start it; --run FOLDER where it has another run folder';
  return new UsageError(`no agent runs on this box: there is nobody at ${socketPath}`, fix);
}
