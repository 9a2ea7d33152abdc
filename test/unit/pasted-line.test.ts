/** The line that an operator pastes, run by a real shell against a real HTTPS server. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { pastedLine } from '../../cli/pasted-line.ts';
import { systemClock } from '../../common/clock.ts';
import { sha256 } from '../../common/digest.ts';
import { createLog } from '../../common/log.ts';
import { createPki, initPki } from '../../manager/pki/pki.ts';

const SCRIPT = 'printf "%s\\n" "$@" >"$MARK"\n';

let folder: string;
let server: Server;
let authority: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pasted-'));
  authority = await listen('ours', SCRIPT);
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** A manager's door; returns the certificate of its authority, base64 DER. */
async function listen(name: string, script: string): Promise<string> {
  const keys = join(folder, name);
  await initPki({ folder: keys, clock: systemClock });
  const log = createLog('test', 'silent');
  const pki = await createPki({ folder: keys, address: '127.0.0.1', clock: systemClock, log });
  server = createServer(pki.credentials.current(), (_, answer) => answer.end(script));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return pki.authority();
}

const lineFor = (sum: string, ca = authority) => {
  const { port } = server.address() as AddressInfo;
  const content = {
    address: '127.0.0.1',
    port,
    ca,
    secret: 'a.b',
    expires: '2026-01-01T00:00:00Z',
    installer: sum,
  };
  const text = Buffer.from(JSON.stringify(content)).toString('base64url');
  return { text, line: pastedLine(text, 'web1') ?? '' };
};

const paste = (line: string) =>
  new Promise<{ code: number; stderr: string; ran: string[] }>((resolve) => {
    const mark = join(folder, 'mark');
    const env = { ...process.env, MARK: mark, TMPDIR: folder };
    execFile('sh', ['-c', line], { env, timeout: 20_000 }, (err, _, stderr) => {
      let ran: string[] = [];
      try {
        ran = readFileSync(mark, 'utf8').trim().split('\n');
      } catch {
        // The installer did not run.
      }
      resolve({ code: err ? Number(err.code ?? 1) : 0, stderr, ran });
    });
  });

it('[4.1] the pasted line fetches the installer of the manager and runs it with the invitation', async () => {
  const { text, line } = lineFor(sha256(SCRIPT));
  expect(line).not.toContain('\n');
  const { code, ran } = await paste(line);
  expect([code, ran]).toEqual([0, ['agent', '--join', text, '--name', 'web1']]);
});

it('[4 must show] an installer that was changed on the way is not run', async () => {
  const { code, ran, stderr } = await paste(lineFor(sha256('another')).line);
  expect([code, ran]).toEqual([1, []]);
  expect(stderr).toContain('not the one of this invitation');
});

it('[4 must show] somebody between with an authority of his own is not believed', async () => {
  const ours = authority;
  server.close();
  await listen('his', SCRIPT);
  const { code, ran, stderr } = await paste(lineFor(sha256(SCRIPT), ours).line);
  expect(code).not.toBe(0);
  expect([ran, stderr]).toEqual([[], expect.stringContaining('certificate')]);
});

it('[4.1] a manager that runs from a checkout has no line to give', () => {
  const text = Buffer.from(JSON.stringify({ address: '127.0.0.1', port: 1, ca: '' })).toString('base64url');
  expect(pastedLine(text, undefined)).toBeUndefined();
});
