/** The floor of coming back: bare mutual TLS handshakes, server and client in a process each. */
import { type AddressInfo, connect as connectTcp } from 'node:net';
import { connect, createSecureContext, createServer, type SecureContext } from 'node:tls';
import { serve, sharedNow } from '../worker.ts';

export interface Credential {
  key: string;
  cert: string;
  ca: string;
}

const sides = { minVersion: 'TLSv1.3' as const, noDelay: true };

function listen(credential: Credential): Promise<number> {
  const asking = { requestCert: true, rejectUnauthorized: true };
  const server = createServer({ ...credential, ...sides, ...asking }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.end('x');
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

interface Measuring extends Credential {
  port: number;
  count: number;
  atOnce: number;
}

/** Handshakes a second, over `count` of them. A byte from the server proves that it has verified the client. */
async function measure({ port, count, atOnce, ...credential }: Measuring): Promise<number> {
  // Reading keys and authorities is not part of a handshake.
  const secureContext = createSecureContext({ ...credential, ...sides });
  let left = count;
  const lane = async () => {
    while (left > 0) {
      left -= 1;
      await shakeHands(port, secureContext);
    }
  };
  const begun = sharedNow();
  await Promise.all(Array.from({ length: atOnce }, lane));
  return (count / (sharedNow() - begun)) * 1000;
}

const shakeHands = (port: number, secureContext: SecureContext) =>
  new Promise<void>((resolve, reject) => {
    const socket = connect({
      socket: connectTcp({ port, host: '127.0.0.1', noDelay: true }),
      host: '127.0.0.1',
      secureContext,
    });
    socket.once('error', reject);
    socket.once('data', () => socket.destroy());
    socket.once('close', () => resolve());
  });

serve({ listen, measure });
