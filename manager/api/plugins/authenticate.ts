/** Who is asking: bearer tokens, what their roles allow, and patience with those who guess. */
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { EvenkeelError } from '../../../protocol/errors.ts';
import { type AccessRole, roles } from '../../../protocol/views.ts';
import type { Caller, Given } from '../given.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where the endpoint needs no token. */
    caller: Caller | undefined;
  }
  interface FastifyContextConfig {
    endpoint?: string;
    access?: AccessRole | 'none';
  }
}

export interface AuthenticateOptions {
  tokens: { find(secret: string): Caller | undefined };
  /** How many failures of one address are answered in a minute. */
  failuresPerMinute: number;
  /** Hears of every token that opens nothing, and of whoever is told to wait. */
  refused: Given['refused'];
}

/** Endpoints that anybody may call and that open something: a failure there counts like a wrong token. */
const doors = new Set(['join', 'rejoin', 'preflight']);

/** Before a body is read: nobody without a token makes the manager take in megabytes. */
export async function authenticate(
  app: FastifyInstance,
  { tokens, failuresPerMinute, refused }: AuthenticateOptions,
): Promise<void> {
  await app.register(rateLimit, { global: false });
  const failures = app.createRateLimit({ max: failuresPerMinute, timeWindow: 60_000 });
  /** @throws EvenkeelError rate-limited; a valid token is never asked to wait */
  const refuseGuessing = async (request: FastifyRequest, reply: FastifyReply, increment: boolean) => {
    const stand = await failures(request, { increment });
    if (stand.isAllowed) return;
    const used = increment ? stand.isExceeded : stand.remaining === 0;
    if (!used) return;
    if (!increment)
      refused({ door: 'join', who: request.ip, message: `${request.ip} has failed to join too often` });
    reply.header('retry-after', stand.ttlInSeconds);
    throw new EvenkeelError('rate-limited', 'too many failures from this address; wait as Retry-After says');
  };
  app.decorateRequest('caller', undefined);
  app.addHook('onRequest', async (request, reply) => {
    const { access = 'none', endpoint = '' } = request.routeOptions.config;
    if (doors.has(endpoint)) await refuseGuessing(request, reply, false);
    if (access === 'none') return;
    const caller = callerOf(request, tokens);
    if (!caller) {
      if ((request.headers.authorization ?? '') !== '')
        refused({ door: 'token', who: request.ip, message: `a token from ${request.ip} opens nothing` });
      await refuseGuessing(request, reply, true);
      reply.header('www-authenticate', 'Bearer realm="evenkeel"');
      throw new EvenkeelError('unauthenticated', 'give a valid token: Authorization: Bearer ek_...');
    }
    refuseLesser(caller, access);
    request.caller = caller;
  });
  app.addHook('onResponse', async (request, reply) => {
    const { endpoint = '' } = request.routeOptions.config;
    if (doors.has(endpoint) && reply.statusCode >= 400 && reply.statusCode < 500)
      await failures(request, { increment: true });
  });
}

function callerOf(request: FastifyRequest, tokens: AuthenticateOptions['tokens']): Caller | undefined {
  const secret = /^Bearer +(ek_[A-Za-z0-9_-]{20,100})$/i.exec(request.headers.authorization ?? '')?.[1];
  return secret === undefined ? undefined : tokens.find(secret);
}

/** @throws EvenkeelError forbidden */
export function refuseLesser({ name, role }: Caller, wanted: AccessRole): void {
  if (roles.indexOf(role) >= roles.indexOf(wanted)) return;
  throw new EvenkeelError('forbidden', `this is for the role ${wanted}; the token ${name} has ${role}`);
}
