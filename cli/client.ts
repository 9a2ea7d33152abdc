/** The client of the API: calls by their names in the table of endpoints, TLS verified by the authority of the cluster. */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import {
  type AnswerOf,
  type ApiName,
  api,
  type BodyOf,
  type ParamsOf,
  type QueryOf,
} from '../protocol/endpoints.ts';
import { type ErrorCode, EvenkeelError, errors, type Problem } from '../protocol/errors.ts';
import type { Found } from './find.ts';

/** What a call takes; fields that have a default may be left out. */
export interface Parts<N extends ApiName> {
  params?: ParamsOf<N>;
  query?: Partial<QueryOf<N>>;
  body?: Partial<BodyOf<N>>;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export interface Client {
  /** @throws EvenkeelError as the manager says it; node-unreachable where nobody answers */
  call<N extends ApiName>(name: N, parts?: Parts<N>): Promise<AnswerOf<N>>;
  /** The same, with what the manager warns of. */
  callWarned<N extends ApiName>(
    name: N,
    parts?: Parts<N>,
  ): Promise<{ answer: AnswerOf<N>; warnings: string[] }>;
  /** The answer as it comes, for streams. */
  open<N extends ApiName>(name: N, parts?: Parts<N>): Promise<IncomingMessage>;
}

/** Longer than the manager takes; verifying a long journal and a large apply take longest. */
const TIMEOUT_MS = 60_000;
const PATIENT: Partial<Record<ApiName, number>> = { apply: 600_000, verify: 600_000, backup: 600_000 };

export function createClient(found: Found): Client {
  const agent = new Agent({ keepAlive: true, ca: found.ca });
  const open = async <N extends ApiName>(name: N, parts: Parts<N> = {}) => {
    const response = await send(found, agent, name, parts);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    throw refusalOf(status, await textOf(response));
  };
  const callWarned = async <N extends ApiName>(name: N, parts: Parts<N> = {}) => {
    const response = await open(name, parts);
    const answer = JSON.parse(await textOf(response)) as AnswerOf<N>;
    const said = response.headers['x-evenkeel-warnings'];
    const warnings = typeof said === 'string' ? (JSON.parse(decodeURIComponent(said)) as string[]) : [];
    return { answer, warnings };
  };
  return { open, callWarned, call: async (name, parts) => (await callWarned(name, parts)).answer };
}

function send<N extends ApiName>(
  found: Found,
  agent: Agent,
  name: N,
  parts: Parts<N>,
): Promise<IncomingMessage> {
  const { body, headers = {}, signal } = parts;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const patience = PATIENT[name] ?? TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const sent = request(
      `${found.api}${pathOf(name, parts)}`,
      {
        agent,
        method: api[name].method,
        ...(signal ? { signal } : {}),
        headers: {
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
          authorization: `Bearer ${found.token}`,
          ...headers,
        },
      },
      resolve,
    );
    sent.setTimeout(patience, () => sent.destroy(new Error(`no answer within ${patience / 1000} s`)));
    sent.once('error', (err: NodeJS.ErrnoException) =>
      reject(signal?.aborted ? err : unreachable(found, err)),
    );
    sent.end(text);
  });
}

/** The path of the table with its parameters; a name at its end may have slashes. */
function pathOf<N extends ApiName>(name: N, { params, query = {} }: Parts<N>): string {
  const values: Record<string, string> = params ?? {};
  const path = api[name].path.replace(/:([a-z]+)|\*/g, (_: string, field?: string) =>
    field === undefined
      ? (values.name ?? '').split('/').map(encodeURIComponent).join('/')
      : encodeURIComponent(values[field] ?? ''),
  );
  const search = new URLSearchParams();
  for (const [field, value] of Object.entries(query))
    if (value !== undefined) search.set(field, String(value));
  return search.size === 0 ? path : `${path}?${search}`;
}

export async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** The coded error of a problem document, or what can be said of any other answer. */
function refusalOf(status: number, text: string): EvenkeelError {
  const document = problemIn(text);
  if (!document)
    return new EvenkeelError('internal', `the manager answered ${status}: ${text.slice(0, 200)}`);
  return new EvenkeelError(document.code, document.detail, { problems: document.problems ?? [] });
}

function problemIn(text: string): { code: ErrorCode; detail: string; problems?: Problem[] } | undefined {
  try {
    const document = JSON.parse(text) as { code: ErrorCode; detail: string; problems?: Problem[] };
    return Object.hasOwn(errors, document.code) ? document : undefined;
  } catch {
    return undefined; // whatever answered, it is no problem document of a manager
  }
}

const because: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there; is the manager running? (`evenkeel up` starts a sandbox)',
  ENOTFOUND: 'there is no such host',
  EHOSTUNREACH: 'the host cannot be reached',
  ECONNRESET: 'it closed the connection',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another address',
};
const distrust = /CERT|SIGNATURE|ISSUER/;

function unreachable({ api: address, caFile }: Found, err: NodeJS.ErrnoException): EvenkeelError {
  const code = err.code ?? '';
  const why =
    because[code] ??
    (distrust.test(code) ? `its certificate is not by the authority in ${caFile} (${code})` : err.message);
  return new EvenkeelError('node-unreachable', `the manager at ${address} does not answer: ${why}`, {
    cause: err,
  });
}
