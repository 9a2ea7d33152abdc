/** A wire between a node and its manager: plain TCP handed on as it is, so that TLS stays whole and a test can cut it. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Wire {
  /** Where the node dials. */
  port: number;
  /** Breaks what is connected, as a cable would; new connections get through. */
  cut(): void;
  /** Nothing gets through, and what was connected is broken, until it is mended. */
  sever(): void;
  mend(): void;
  close(): Promise<void>;
}

/** @param target the manager's port now; undefined while it is down */
export async function createWire(target: () => number | undefined): Promise<Wire> {
  const sockets = new Set<Socket>();
  let severed = false;
  const keep = (socket: Socket, other: () => Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    // Whatever went wrong with one end, the other one sees it as a broken connection.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      sockets.delete(socket);
      other().destroy();
    });
  };
  const server = createServer((near) => {
    const port = target();
    if (severed || port === undefined) return void near.destroy();
    const far = connect(port, '127.0.0.1');
    keep(near, () => far);
    keep(far, () => near);
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    sever: () => {
      severed = true;
      cut();
    },
    mend: () => {
      severed = false;
    },
    close: async () => {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
