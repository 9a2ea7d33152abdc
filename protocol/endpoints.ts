/** Every HTTP endpoint, declared once: routes, OpenAPI and clients derive from this table. */
import { type Static, type TSchema, Type } from 'typebox';
import { externalApi } from './external.ts';
import { joinApi } from './joining.ts';
import { NodeNamed, nodesApi } from './nodes-api.ts';
import { preflightApi } from './preflight-api.ts';
import { queueApi } from './queue-api.ts';
import { releaseApi } from './release.ts';
import { schedulesApi } from './schedules-api.ts';
import { storageApi } from './storage.ts';
import { Moment, Name, OneOf, Strict } from './values.ts';
import {
  type AccessRole,
  ApplyAnswer,
  ApplyBody,
  ApplyQuery,
  EventLine,
  HistoryStep,
  HistoryView,
  JournalEntry,
  KindParam,
  ManagerState,
  PoolView,
  Rev,
  roles,
  StoredResource,
  TrafficView,
} from './views.ts';

export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  /** The least role that may call it; `none` needs no token. */
  access: AccessRole | 'none';
  summary: string;
  params?: TSchema;
  query?: TSchema;
  body?: TSchema;
  /** Absent where the answer is a stream or plain text. */
  answer?: TSchema;
  stream?: 'text/event-stream' | 'text/plain' | 'application/octet-stream';
}

/** A resource in a path, where `*` stands for the name: names of templates have slashes. */
const ResourceNamed = Strict({ kind: KindParam, name: Type.String({ minLength: 1, maxLength: 512 }) });

/** What people and programs call, on the API port. */
export const api = {
  apply: {
    method: 'POST',
    path: '/api/v1/apply',
    access: 'operator',
    summary: 'Apply many documents, all or nothing',
    query: ApplyQuery,
    body: ApplyBody,
    answer: ApplyAnswer,
  },
  list: {
    method: 'GET',
    path: '/api/v1/resources/:kind',
    access: 'viewer',
    summary: 'List resources of a kind, by name',
    params: Strict({ kind: KindParam }),
    query: Strict({
      after: Type.Optional(Type.String()),
      limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
    }),
    answer: Strict({
      items: Type.Array(StoredResource),
      next: Type.Union([Type.String(), Type.Null()]),
      total: Type.Integer(),
    }),
  },
  get: {
    method: 'GET',
    path: '/api/v1/resources/:kind/*',
    access: 'viewer',
    summary: 'One resource; its revision is the ETag',
    params: ResourceNamed,
    answer: StoredResource,
  },
  put: {
    method: 'PUT',
    path: '/api/v1/resources/:kind/*',
    access: 'operator',
    summary: 'Create or replace one resource; If-Match judges its revision',
    params: ResourceNamed,
    query: Strict({ force: Type.Optional(Type.Boolean()) }),
    body: Strict({ spec: Type.Unknown() }),
    answer: StoredResource,
  },
  patch: {
    method: 'PATCH',
    path: '/api/v1/resources/:kind/*',
    access: 'operator',
    summary: 'Change fields of one resource (JSON merge patch of its spec)',
    params: ResourceNamed,
    query: Strict({ force: Type.Optional(Type.Boolean()) }),
    body: Strict({ spec: Type.Unknown() }),
    answer: StoredResource,
  },
  delete: {
    method: 'DELETE',
    path: '/api/v1/resources/:kind/*',
    access: 'operator',
    summary: 'Delete one resource',
    params: ResourceNamed,
    query: Strict({ force: Type.Boolean({ default: false }) }),
    answer: Strict({ revision: Rev }),
  },
  ...nodesApi,
  pools: {
    method: 'GET',
    path: '/api/v1/pools',
    access: 'viewer',
    summary: 'Virtual services, who is in their pools, and why',
    answer: Strict({ items: Type.Array(PoolView) }),
  },
  traffic: {
    method: 'GET',
    path: '/api/v1/traffic',
    access: 'viewer',
    summary: 'What balancers carry now, by service and member',
    answer: Strict({ items: Type.Array(TrafficView) }),
  },
  history: {
    method: 'GET',
    path: '/api/v1/pools/:service/history',
    access: 'viewer',
    summary: 'What balancers carried: by default the last hour',
    params: Strict({ service: Name }),
    query: Strict({
      from: Type.Optional(Moment),
      to: Type.Optional(Moment),
      step: Type.Optional(HistoryStep),
      member: Type.Optional(
        Type.String({ maxLength: 253, description: 'One member; empty for the service itself; else all' }),
      ),
    }),
    answer: HistoryView,
  },
  ...storageApi,
  ...externalApi,
  events: {
    method: 'GET',
    path: '/api/v1/events',
    access: 'viewer',
    summary: 'The event stream: journal, health, drift, pools',
    query: Strict({
      since: Type.Optional(Type.String()),
      follow: Type.Boolean({ default: false }),
      limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
      node: Type.Optional(Name),
      type: Type.Optional(Type.String()),
    }),
    answer: Strict({
      items: Type.Array(EventLine),
      next: Type.String({ description: 'Where the next question begins: its `since`' }),
    }),
    /** With `follow`; else the answer. */
    stream: 'text/event-stream',
  },
  journal: {
    method: 'GET',
    path: '/api/v1/journal',
    access: 'viewer',
    summary: 'Journal entries, oldest first after `since`, or the newest',
    query: Strict({
      since: Type.Optional(Rev),
      limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
    }),
    answer: Strict({ items: Type.Array(JournalEntry), revision: Rev, epoch: Rev }),
  },
  verify: {
    method: 'GET',
    path: '/api/v1/journal/verify',
    access: 'viewer',
    summary: 'Verify the hash chain, bodies and digests',
    answer: Strict({
      ok: Type.Boolean(),
      entries: Type.Integer(),
      bodies: Type.Integer(),
      scopes: Type.Integer(),
      problems: Type.Array(Type.String()),
    }),
  },
  backup: {
    method: 'POST',
    path: '/api/v1/backup',
    access: 'admin',
    summary: 'An encrypted online backup: store and keys',
    body: Strict({ passphrase: Type.String({ minLength: 12, maxLength: 1000 }) }),
    stream: 'application/octet-stream',
  },
  state: {
    method: 'GET',
    path: '/api/v1/state',
    access: 'viewer',
    summary: 'The manager: epoch, revision, and whether it is held',
    answer: ManagerState,
  },
  resume: {
    method: 'POST',
    path: '/api/v1/resume',
    access: 'admin',
    summary: 'Let a held manager publish again',
    body: Strict({
      allowShrink: Type.Boolean({
        default: false,
        description: 'Nodes may drop more than a fifth of a kind to match this store',
      }),
    }),
    answer: ManagerState,
  },
  tokens: {
    method: 'POST',
    path: '/api/v1/tokens',
    access: 'admin',
    summary: 'Make an API token; it is shown once',
    body: Strict({ name: Name, role: OneOf([...roles]) }),
    answer: Strict({ name: Name, role: Type.String(), token: Type.String() }),
  },
  tokenList: {
    method: 'GET',
    path: '/api/v1/tokens',
    access: 'admin',
    summary: 'The API tokens, without their secret',
    answer: Strict({ items: Type.Array(Strict({ name: Name, role: Type.String(), created: Moment })) }),
  },
  tokenDelete: {
    method: 'DELETE',
    path: '/api/v1/tokens/:name',
    access: 'admin',
    summary: 'Revoke an API token',
    params: NodeNamed,
    answer: Strict({ revoked: Type.Boolean() }),
  },
  openapi: {
    method: 'GET',
    path: '/api/v1/openapi.json',
    access: 'none',
    summary: 'This table as OpenAPI 3.1',
  },
  metrics: {
    method: 'GET',
    path: '/metrics',
    access: 'viewer',
    summary: 'Prometheus metrics',
    stream: 'text/plain',
  },
  healthz: {
    method: 'GET',
    path: '/healthz',
    access: 'none',
    summary: 'The process lives',
    answer: Strict({ ok: Type.Boolean() }),
  },
  readyz: {
    method: 'GET',
    path: '/readyz',
    access: 'none',
    summary: 'It serves: store, broker and listeners are up; 503 when held',
    answer: Strict({ ok: Type.Boolean(), reason: Type.Optional(Type.String()) }),
  },
  ...joinApi,
  ...releaseApi,
  ...preflightApi,
  ...queueApi,
  ...schedulesApi,
} as const satisfies Record<string, Endpoint>;

export type ApiName = keyof typeof api;
/** What an endpoint answers. */
export type AnswerOf<N extends ApiName> = (typeof api)[N] extends { answer: infer A extends TSchema }
  ? Static<A>
  : undefined;
/** What an endpoint takes as its body. */
export type BodyOf<N extends ApiName> = (typeof api)[N] extends { body: infer B extends TSchema }
  ? Static<B>
  : undefined;
/** What an endpoint takes in its path and after the question mark. */
export type ParamsOf<N extends ApiName> = (typeof api)[N] extends { params: infer P extends TSchema }
  ? Static<P>
  : undefined;
export type QueryOf<N extends ApiName> = (typeof api)[N] extends { query: infer Q extends TSchema }
  ? Static<Q>
  : undefined;
