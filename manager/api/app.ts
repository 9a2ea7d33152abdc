/** The API for people and programs: HTTPS, tokens, problems as documents; its routes come from protocol/endpoints.ts. */
import { randomUUID } from 'node:crypto';
import type { Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { createChanges } from './change/carry-out.ts';
import type { Given } from './given.ts';
import { mount } from './mount.ts';
import { authenticate } from './plugins/authenticate.ts';
import { readBodies } from './plugins/bodies.ts';
import { setHeaders } from './plugins/headers.ts';
import { answerProblems, beforeHandlers, LONGEST_PARAM } from './plugins/problems.ts';
import { adminRoutes } from './routes/admin.ts';
import { applyRoutes } from './routes/apply.ts';
import { doctorRoutes } from './routes/doctor.ts';
import { eventRoutes } from './routes/events.ts';
import { externalRoutes } from './routes/external.ts';
import { joiningRoutes } from './routes/joining.ts';
import { journalRoutes } from './routes/journal.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { publicRoutes } from './routes/public.ts';
import { queueRoutes } from './routes/queue.ts';
import { releaseRoutes } from './routes/release.ts';
import { resourceRoutes } from './routes/resources.ts';
import { scheduleRoutes } from './routes/schedules.ts';
import { storageRoutes } from './routes/storage.ts';
import { createStreams } from './stream.ts';

export interface ApiOptions extends Given {
  listen: { address: string; port: number };
  tls: {
    current(): { key: string; cert: string };
    onRenewed(listener: () => void): () => void;
  };
  /** Wrong tokens, and joins that fail, of one address. */
  failuresPerMinute?: number;
}

export interface Api {
  /** Listens; returns its undo. */
  start(): Promise<() => Promise<void>>;
  port(): number;
  /** The app itself, ready to be asked without a socket. */
  app(): Promise<FastifyInstance>;
}

/** An upload of 128 MiB over a slow line takes its time; a header does not. */
const REQUEST_MS = 300_000;
const HEADERS_MS = 10_000;

export function createApi(options: ApiOptions): Api {
  const { listen, tls } = options;
  let made: Promise<FastifyInstance> | undefined;
  const app = () => {
    made ??= build(options);
    return made;
  };
  let port = 0;
  return {
    app,
    port: () => port,
    start: async () => {
      const ready = await app();
      const server = ready.server as unknown as Server;
      await ready.listen({ host: listen.address, port: listen.port });
      port = (server.address() as AddressInfo).port;
      const forgetRenewal = tls.onRenewed(() => server.setSecureContext(credentialsOf(tls)));
      return async () => {
        forgetRenewal();
        await ready.close();
      };
    },
  };
}

const credentialsOf = (tls: ApiOptions['tls']) => {
  const { key, cert } = tls.current();
  return { key, cert, minVersion: 'TLSv1.2' as const };
};

async function build(options: ApiOptions): Promise<FastifyInstance> {
  const { store, tls, metrics, log, refused, failuresPerMinute = 30 } = options;
  const app = Fastify({
    https: {
      ...{ ...credentialsOf(tls), headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS },
      // Such a request is refused where all others are.
      requireHostHeader: false,
    },
    ...beforeHandlers,
    routerOptions: { maxParamLength: LONGEST_PARAM },
    // Whoever is connected is answered until the connection is closed, in our words.
    return503OnClosing: false,
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  const streams = createStreams(options);
  const changes = createChanges(store, options.clock);
  answerProblems(app);
  readBodies(app);
  await setHeaders(app);
  await authenticate(app, { tokens: store.tokens, failuresPerMinute, refused });
  app.addHook('onResponse', async (request, { statusCode, elapsedTime }) => {
    const { endpoint = 'none' } = request.routeOptions.config;
    metrics.answered({ endpoint, status: statusCode, seconds: elapsedTime / 1000 });
  });
  app.addHook('preClose', async () => streams.closeAll());
  mount(app, {
    ...applyRoutes(store, changes),
    ...resourceRoutes(store, changes),
    ...nodeRoutes(options),
    ...joiningRoutes(options),
    ...journalRoutes(options),
    ...externalRoutes(options),
    ...adminRoutes(options),
    ...storageRoutes(options),
    ...publicRoutes(options),
    ...doctorRoutes(options),
    ...releaseRoutes(options),
    ...queueRoutes(options, streams),
    ...scheduleRoutes(options),
    ...eventRoutes(options, streams),
  });
  await app.ready();
  return app;
}
