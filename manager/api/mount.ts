/** Routes from the table of endpoints: path, method, access, schema and limits stand there, and only the doing stands here. */
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, HTTPMethods } from 'fastify';
import type { TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Value } from 'typebox/value';
import {
  type AnswerOf,
  type ApiName,
  api,
  type BodyOf,
  type Endpoint,
  type ParamsOf,
  type QueryOf,
} from '../../protocol/endpoints.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { problemsOf } from '../../protocol/resource.ts';
import type { Caller } from './given.ts';

/** One question, its parts checked against the table. */
export interface Asked<N extends ApiName> {
  params: ParamsOf<N>;
  query: QueryOf<N>;
  body: BodyOf<N>;
  caller: Caller;
  request: FastifyRequest;
  reply: FastifyReply;
}

/** Answers, or sends through the reply where the answer is no JSON. */
export type Handler<N extends ApiName> = (
  asked: Asked<N>,
) => AnswerOf<N> | FastifyReply | Promise<AnswerOf<N> | FastifyReply>;
export type Handlers = { [N in ApiName]: Handler<N> };

/** The largest apply: a hundred thousand sites with some room. */
const APPLY_LIMIT = 128 * 1024 * 1024;
const LIMIT = 4 * 1024 * 1024;
const methods: HTTPMethods[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const nobody: Caller = { name: 'nobody', role: 'viewer' };

export function mount(app: FastifyInstance, handlers: Handlers): void {
  app.setValidatorCompiler<TSchema>(({ schema, httpPart }) => readerOf(schema, httpPart ?? ''));
  app.setSerializerCompiler(() => (answer) => JSON.stringify(answer));
  const table = Object.entries(api) as [ApiName, Endpoint][];
  for (const [name, endpoint] of table) route(app, name, endpoint, handlers);
  for (const path of new Set(table.map(([, endpoint]) => endpoint.path))) refuseOthers(app, path, table);
}

function route(app: FastifyInstance, name: ApiName, endpoint: Endpoint, handlers: Handlers): void {
  const handle = handlers[name] as (asked: unknown) => unknown;
  app.route({
    method: endpoint.method,
    url: endpoint.path,
    exposeHeadRoute: false,
    bodyLimit: name === 'apply' ? APPLY_LIMIT : LIMIT,
    config: { endpoint: name, access: endpoint.access },
    schema: schemaOf(endpoint),
    handler: async (request, reply) => {
      const { params, query, body, caller = nobody } = request;
      return handle({ params, query, body, caller, request, reply });
    },
  });
}

function schemaOf({ params, query, body }: Endpoint): FastifySchema {
  return {
    ...(params ? { params } : {}),
    ...(query ? { querystring: query } : {}),
    ...(body ? { body } : {}),
  };
}

/** Fills in defaults, turns the text of a query into numbers and switches, and says all that is wrong at once. */
function readerOf(schema: TSchema, part: string) {
  const validator = Compile(schema);
  return (given: unknown) => {
    const converted = part === 'body' ? (given ?? {}) : Value.Convert(schema, named(given));
    const value: unknown = Value.Default(schema, converted);
    if (validator.Check(value)) return { value };
    const problems = problemsOf(validator, value, (path) => path).map((problem) => ({
      ...problem,
      code: 'bad-request' as const,
    }));
    const [first] = problems;
    return {
      error: new EvenkeelError('bad-request', `${first?.path} ${first?.message}`.trim(), { problems }),
    };
  };
}

/** The rest of a path is the name of a resource. */
function named(given: unknown): unknown {
  const { '*': name, ...rest } = given as Record<string, unknown>;
  return name === undefined ? given : { ...rest, name };
}

/** A path that exists says which methods it knows. */
function refuseOthers(app: FastifyInstance, path: string, table: [ApiName, Endpoint][]): void {
  const known = table.filter(([, endpoint]) => endpoint.path === path).map(([, { method }]) => method);
  const allow = known.join(', ');
  const refuse = async (_: FastifyRequest, reply: FastifyReply) => {
    reply.header('allow', allow);
    throw new EvenkeelError('method-not-allowed', `this path takes ${allow}`);
  };
  app.route({
    method: methods.filter((method) => !known.some((other) => other === method)),
    url: path,
    config: { access: 'none' },
    // Before any body is read.
    onRequest: refuse,
    handler: refuse,
  });
}
