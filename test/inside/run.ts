/** Runs a test file in a network and a table of mounts of its own, which end with it, and says how each of its tests ended. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const checkout = join(import.meta.dirname, '..', '..');
const LONGEST_MS = 300_000;

interface Ended {
  fullName: string;
  status: string;
  failureMessages: string[];
}

interface Results {
  testResults: { message: string; assertionResults: Ended[] }[];
}

/** Only root has namespaces to give away. */
export const isRoot = process.getuid?.() === 0;

/** Declares each test of a file of this folder, with how it ended inside. */
export async function declareInside(file: string): Promise<void> {
  if (!isRoot) {
    it.runIf(false)(`${file} needs root, for a network of its own`, () => undefined);
    return;
  }
  const { ended, said } = await runInside(file);
  it(`${file} runs in a network of its own`, () => expect(ended.length, said).toBeGreaterThan(0));
  for (const { fullName, status, failureMessages } of ended)
    it(fullName, () =>
      expect({ status, failureMessages }).toEqual({ status: 'passed', failureMessages: [] }),
    );
}

async function runInside(file: string): Promise<{ ended: Ended[]; said: string }> {
  const output = join(tmpdir(), `evenkeel-inside-${process.pid}-${file}.json`);
  const vitest = [join(checkout, 'node_modules/vitest/vitest.mjs'), 'run', `test/inside/${file}`];
  const how = ['--config', 'test/inside/vitest.config.ts', '--reporter=json', `--outputFile=${output}`];
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const options = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const child = spawn('unshare', [...options, process.execPath, ...vitest, ...how], {
    cwd: checkout,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_MS,
    killSignal: 'SIGKILL',
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part;
    });
  await once(child, 'close');
  const results = JSON.parse(await readFile(output, 'utf8').catch(() => '{"testResults":[]}')) as Results;
  await rm(output, { force: true });
  const words = results.testResults.map(({ message }) => message).join('\n');
  return { ended: results.testResults.flatMap((one) => one.assertionResults), said: `${said}\n${words}` };
}
