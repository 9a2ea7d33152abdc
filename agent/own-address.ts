/** The address by which this box reaches a manager: where others of its cluster reach it, unless somebody says another. */
import { connect } from 'node:net';
import { EvenkeelError } from '../protocol/errors.ts';

const PATIENCE_MS = 10_000;

/** @throws EvenkeelError node-unreachable when nothing listens there, or no route leads there */
export const ownAddressTo = ({ address, port }: { address: string; port: number }): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, timeout: PATIENCE_MS });
    const end = (why: string, cause?: Error) => {
      socket.destroy();
      reject(new EvenkeelError('node-unreachable', `no way to ${address}:${port}: ${why}`, { cause }));
    };
    socket.once('connect', () => {
      const { localAddress } = socket;
      socket.destroy();
      if (localAddress === undefined) end('the connection was lost at once');
      else resolve(localAddress);
    });
    socket.once('timeout', () => end(`no answer in ${PATIENCE_MS / 1000} s`));
    socket.once('error', (err) => end(err.message, err));
  });
