/** The http and https checks: one request, judged by status and by a bounded part of the body. */
import { type IncomingMessage, request as plainRequest, type RequestOptions } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { type CheckResult, failed, passed } from './result.ts';
import { tlsOptions } from './tls.ts';

export type HttpTarget = Extract<ResolvedCheck, { type: 'http' | 'https' }>;

const LARGEST_BODY = 64 * 1024;

/** @param signal ends the attempt */
export async function checkHttp(target: HttpTarget, signal: AbortSignal): Promise<CheckResult> {
  const response = await ask(target, signal);
  try {
    const status = response.statusCode ?? 0;
    if (!target.status.includes(status))
      return failed(`answered ${status}, wanted ${target.status.join(' or ')}`);
    if (target.body === undefined) return passed(`answered ${status}`);
    const found = target.body.test(await beginning(response));
    return found
      ? passed(`answered ${status}`)
      : failed(`answered ${status}, but the body does not match ${target.body.source}`);
  } finally {
    response.destroy();
  }
}

async function ask(target: HttpTarget, signal: AbortSignal): Promise<IncomingMessage> {
  const options: RequestOptions = {
    host: target.address,
    port: target.port,
    path: target.path,
    headers: { host: target.host ?? target.address, 'user-agent': 'evenkeel-check', connection: 'close' },
    agent: false,
    signal,
  };
  if (target.type === 'http') return send(plainRequest(options));
  return send(tlsRequest({ ...options, ...(await tlsOptions(target, signal)) }));
}

const send = (request: ReturnType<typeof plainRequest>): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.end();
  });

/** As much of the body as is looked at; a page without end is not read to its end. */
async function beginning(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (size >= LARGEST_BODY) break;
  }
  return Buffer.concat(parts).subarray(0, LARGEST_BODY).toString('utf8');
}
