/** One run of a bundle to its end, such as `manager init`: bounded in time, its last words kept for the error. */
import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { EvenkeelError } from '../../protocol/errors.ts';

const run = promisify(execFile);

interface Failure {
  stdout?: string;
  stderr?: string;
  code?: number | string | null;
  killed?: boolean;
}

/** Runs `node bundle ...args`; returns its standard output. */
export async function runBundle(bundle: string, args: string[], timeout = 30_000): Promise<string> {
  try {
    const { stdout } = await run(process.execPath, [bundle, ...args], {
      timeout,
      killSignal: 'SIGKILL',
      maxBuffer: 4 * 1024 * 1024,
    });
    return stdout;
  } catch (err) {
    const { stdout = '', stderr = '', code, killed } = err as Failure;
    const words = `${stdout}\n${stderr}`.trim().split('\n').slice(-10).join('\n');
    const how = killed ? `was still running after ${timeout / 1000} s` : `ended with ${code}`;
    throw new EvenkeelError('command-failed', `${basename(bundle)} ${args[0]} ${how}:\n${words}`, {
      cause: err,
    });
  }
}
