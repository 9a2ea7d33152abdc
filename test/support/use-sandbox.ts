/** The life of a sandbox around the tests of one file. */
import { afterAll, afterEach, beforeAll } from 'vitest';
import { startSandbox, type TestSandbox } from './sandbox.ts';

/** One sandbox for all tests of a file; when one of them fails, the ends of the logs are printed with it. */
export function useSandbox(args: string[] = [], env: Record<string, string> = {}): () => TestSandbox {
  let sandbox: TestSandbox | undefined;
  const get = () => {
    if (!sandbox) throw new Error('the sandbox has not started');
    return sandbox;
  };
  beforeAll(async () => {
    sandbox = await startSandbox(args, env);
  }, 150_000);
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') process.stderr.write(`${get().tails()}\n`);
  });
  afterAll(async () => {
    await sandbox?.remove();
  }, 90_000);
  return get;
}
