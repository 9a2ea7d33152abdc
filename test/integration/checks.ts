/** What the tests of checks share: one run of a check as the agent runs it, and certificates good and bad. */
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createRunCheck } from '../../agent/probe/check.ts';
import type { CheckResult } from '../../agent/probe/result.ts';
import { systemClock } from '../../common/clock.ts';
import type { ResolvedCheck, TalkTarget } from '../../common/render/resolved.ts';
import { issueServer, makeAuthority } from '../../manager/pki/x509.ts';

const DAY = 86_400_000;
const runCheck = createRunCheck({ clock: systemClock, resolve: (command) => [...command] });

/** Long enough for a slow machine; a check that is to run into it says a shorter one. */
export const timing = { name: 'check', interval: 1000, timeout: 5000, fall: 2, rise: 3 };
export const run = (check: ResolvedCheck): Promise<CheckResult> =>
  runCheck(check, { signal: new AbortController().signal });

export type Talk = 'smtp' | 'imap' | 'pop3' | 'ftp';
export const talk = (
  type: Talk,
  port: number,
  more: Partial<TalkTarget & { timeout: number }> = {},
): ResolvedCheck => ({ ...timing, type, address: '127.0.0.1', port, tls: 'none', ...more });

export interface Certificates {
  /** For localhost and 127.0.0.1, valid now. */
  good: { cert: string; key: string };
  expired: { cert: string; key: string };
  /** The file of the authority that vouches for both. */
  ca: string;
  /** The file of another authority. */
  stranger: string;
}

export async function writeCertificates(folder: string): Promise<Certificates> {
  // Daemons that give up being root read their own configuration and keys here.
  await chmod(folder, 0o755);
  const authority = await makeAuthority(Date.now() - 10 * DAY);
  const put = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const server = async (name: string, from: number) => {
    const { certificate, key } = await issueServer(authority, ['127.0.0.1'], from, DAY);
    return { cert: await put(`${name}.crt`, certificate), key: await put(`${name}.key`, key) };
  };
  return {
    good: await server('good', Date.now()),
    expired: await server('expired', Date.now() - 5 * DAY),
    ca: await put('ca.crt', authority.certificate),
    stranger: await put('stranger.crt', (await makeAuthority(Date.now())).certificate),
  };
}
