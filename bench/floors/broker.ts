/** The floor of a fan-out: aedes by itself, without a rule of ours, over TCP and over mutual TLS. */
import { type AddressInfo, createServer as createTcp, type Server } from 'node:net';
import { createServer as createTls } from 'node:tls';
import { Aedes } from 'aedes';
import { serve, sharedNow } from '../worker.ts';
import type { Credential } from './handshakes.ts';

let broker: Aedes;

const bound = (server: Server) =>
  new Promise<number>((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () =>
      resolve((server.address() as AddressInfo).port),
    );
  });

async function listen(credential: Credential): Promise<{ tcp: number; tls: number }> {
  broker = await Aedes.createBroker();
  const tls = createTls(
    { ...credential, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3', noDelay: true },
    broker.handle,
  );
  return { tcp: await bound(createTcp({ noDelay: true }, broker.handle)), tls: await bound(tls) };
}

/** Returns the moment at which the message was given to the broker. */
function publish({ topic, payload }: { topic: string; payload: string }): Promise<number> {
  const at = sharedNow();
  return new Promise((resolve, reject) => {
    broker.publish({ cmd: 'publish', topic, payload, qos: 0, retain: false, dup: false }, (err) =>
      err ? reject(err) : resolve(at),
    );
  });
}

serve({ listen, publish });
