/** Handshakes: the address of each box that spoke to a TLS server and was not let in; its own error no longer knows it. */
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';

/** Who only opens a connection and leaves has asked for nothing. */
export function watchHandshakes(server: Server, refused: (from: string) => void): void {
  const open = new Set<string>();
  const nameOf = ({ remoteAddress, remotePort }: Socket | TLSSocket) => `${remoteAddress} ${remotePort}`;
  server.on('connection', (socket: Socket) => {
    const [name, from] = [nameOf(socket), socket.remoteAddress ?? 'an unknown address'];
    open.add(name);
    socket.once('close', () => {
      if (open.delete(name) && socket.bytesRead > 0) refused(from);
    });
  });
  server.on('secureConnection', (socket) => open.delete(nameOf(socket)));
}
