/** The tcp check: a connection is accepted. */
import { connect } from 'node:net';
import { type CheckResult, passed } from './result.ts';

export interface TcpTarget {
  address: string;
  port: number;
}

/** @param signal ends the attempt */
export const checkTcp = ({ address, port }: TcpTarget, signal: AbortSignal): Promise<CheckResult> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, signal });
    socket.once('connect', () => {
      socket.destroy();
      resolve(passed(`${address}:${port} accepts connections`));
    });
    socket.on('error', reject);
  });
