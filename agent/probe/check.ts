/** One run of one check, of whatever type: it passes or fails within its timeout, and never throws. */
import type { Clock } from '../../common/clock.ts';
import type { ResolvedCheck } from '../../common/render/resolved.ts';
import { checkCommand } from './command.ts';
import { createDiskCheck, type DiskCheck } from './disk.ts';
import { checkDns } from './dns.ts';
import { checkFtp } from './ftp.ts';
import { checkHttp } from './http.ts';
import { checkImap } from './imap.ts';
import { createMountCheck, type MountCheck } from './mount.ts';
import { checkPop3 } from './pop3.ts';
import { checkProcess } from './process.ts';
import { type CheckResult, failed, passed, withinTime } from './result.ts';
import { checkSmtp } from './smtp.ts';
import { checkTcp } from './tcp.ts';

export type RunCheck = (check: ResolvedCheck, options: { signal: AbortSignal }) => Promise<CheckResult>;

export interface RunCheckOptions {
  clock: Clock;
  /** The command with the absolute path that the box's own list gives it. @throws when it is not on the list */
  resolve: (command: readonly string[]) => string[];
  mount?: MountCheck;
  disk?: DiskCheck;
  /** What the kernel does not hold of what a file asks of it, a line each; said before the timeout is over. */
  differing?: (file: string, timeout: number) => Promise<string[]>;
}

const NOBODY_LOOKS = async () => ['nobody on this box looks at its kernel'];

export function createRunCheck({
  clock,
  resolve,
  differing = NOBODY_LOOKS,
  mount = createMountCheck(),
  disk = createDiskCheck(),
}: RunCheckOptions): RunCheck {
  const attempt = async (target: ResolvedCheck, signal: AbortSignal): Promise<CheckResult> => {
    switch (target.type) {
      case 'tcp':
        return checkTcp(target, signal);
      case 'http':
      case 'https':
        return checkHttp(target, signal);
      case 'smtp':
        return checkSmtp(target, signal);
      case 'imap':
        return checkImap(target, signal);
      case 'pop3':
        return checkPop3(target, signal);
      case 'ftp':
        return checkFtp(target, signal);
      case 'dns':
        return checkDns(target, signal);
      case 'process':
        return checkProcess(target, signal);
      case 'mount':
        return mount(target, signal);
      case 'disk':
        return disk(target, signal);
      case 'kernel': {
        const found = await differing(target.file, target.timeout);
        return found.length === 0 ? passed('all is as it should be') : failed(found.join('; '));
      }
      case 'command':
        return checkCommand({ run: resolve(target.run) }, signal);
    }
  };
  return (check, { signal }) =>
    withinTime(check.timeout, { clock, signal }, (inTime) => attempt(check, inTime));
}
