/** The log: JSON lines by pino. Messages are constant; values are fields: node, revision, scope, resource, unit, pool, err. */
import { destination, type Logger, pino } from 'pino';

export type Log = Logger;

/** @param level `silent` in most tests */
export const createLog = (name: string, level = 'info'): Log =>
  pino(
    {
      name,
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: [
          'secret',
          'token',
          'passphrase',
          'join',
          '*.secret',
          '*.token',
          '*.passphrase',
          'req.headers.authorization',
        ],
        censor: '[secret]',
      },
    },
    destination({ dest: 1, sync: true }),
  );
