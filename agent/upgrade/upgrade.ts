/** Upgrade: the agent has its own release replaced, by the installer of the new one, which goes back when that does not come up. */
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Compile } from 'typebox/compile';
import { type Clock, moment } from '../../common/clock.ts';
import { makeFolder, writeFileAtomic } from '../../common/files.ts';
import type { Log } from '../../common/log.ts';
import { type OwnRelease, sameRelease } from '../../common/own-release.ts';
import { EvenkeelError, messageOf } from '../../protocol/errors.ts';
import type { Ask } from '../../protocol/messages.ts';
import { type ReleaseWanted, UpgradeNote } from '../../protocol/upgrade.ts';
import type { ReportBody } from '../link/outbox.ts';

export interface UpgradeTools {
  /** Fetches the bundle of the manager to a file. @throws EvenkeelError node-unreachable, signature-invalid when its sum is another */
  fetch(file: string, sum: string): Promise<void>;
  unpack(file: string, folder: string): Promise<void>;
  /** Runs the installer apart from this process, which it ends. @throws EvenkeelError upgrade-refused */
  install(folder: string): Promise<void>;
  /** Whether an installer that was started so runs still, and what it said last. */
  installing(): Promise<boolean>;
  said(): Promise<string>;
}

export interface UpgradeOptions {
  /** Undefined for an agent that runs from a checkout. */
  own: OwnRelease | undefined;
  /** Root's word: whether the manager may have the agent replaced. */
  allowed: boolean;
  folder: string;
  tools: UpgradeTools;
  report: (body: ReportBody) => void;
  clock: Clock;
  log: Log;
}

export interface Upgrade {
  /**
   * Begins; how it ends is seen by the release that the node shows, or by the alarm `upgrade-failed`.
   * @throws EvenkeelError upgrade-refused
   */
  begin(wanted: Ask['release']): Promise<void>;
  /** Whether it would be begun. @throws EvenkeelError upgrade-refused */
  check(wanted: Ask['release']): Promise<void>;
  /** The manager is reached: what was wanted is told as done, or as failed. */
  connected(): void;
}

const shape = Compile(UpgradeNote);
const SETTLE_MS = 3_000;

export function createUpgrade({ own, allowed, folder, tools, report, clock, log }: UpgradeOptions): Upgrade {
  const note = join(folder, 'wanted.json');
  let going = false;

  /** One for all releases: the next try ends what the last one has told. */
  const alarm = (message: string) =>
    report({ type: 'alarm', code: 'upgrade-failed', subject: 'agent', active: message !== '', message });
  const refuse = (why: string): never => {
    throw new EvenkeelError('upgrade-refused', why);
  };
  const place = async (wanted: ReleaseWanted): Promise<string> => {
    const there = join(dirname(own?.folder ?? ''), wanted.id);
    if (existsSync(join(there, 'SHA256SUMS'))) return there;
    if (wanted.sum === undefined) return refuse(`there is no release ${wanted.id} on this box to go back to`);
    const [file, unpacked] = [join(folder, 'agent.tar.gz'), join(folder, 'release')];
    await rm(unpacked, { recursive: true, force: true });
    await makeFolder(unpacked, 0o700);
    await tools.fetch(file, wanted.sum);
    await tools.unpack(file, unpacked);
    await rm(file, { force: true });
    return unpacked;
  };
  const go = async (wanted: ReleaseWanted) => {
    try {
      await writeFileAtomic(note, `${JSON.stringify({ id: wanted.id, since: moment(clock) })}\n`);
      await tools.install(await place(wanted));
      log.warn({ release: wanted.id }, 'the installer of another release runs; it will end this process');
    } catch (err) {
      for (const name of ['wanted.json', 'agent.tar.gz', 'release'])
        await rm(join(folder, name), { recursive: true, force: true });
      alarm(`${wanted.id}: ${messageOf(err)}`);
      log.error({ release: wanted.id, err: messageOf(err) }, 'the upgrade could not begin');
    }
  };
  /** After a start: what runs is what was wanted, or the installer has gone back, or it is at work still. */
  const settle = async () => {
    const wanted = await readNote(note);
    if (wanted === null || own === undefined) return;
    if (!sameRelease(wanted.id, own.id)) {
      if (await tools.installing()) {
        clock.after(SETTLE_MS, () => void settle().catch(unsettled));
        return;
      }
      alarm(`${wanted.id} did not come up here, and ${own.id} runs again: ${await tools.said()}`);
    } else alarm('');
    await rm(note, { force: true });
    await rm(join(folder, 'release'), { recursive: true, force: true });
  };
  const unsettled = (err: unknown) =>
    log.error({ err: messageOf(err) }, 'how the upgrade ended could not be told');
  const allowedOf = async (wanted: Ask['release']): Promise<ReleaseWanted> => {
    if (wanted === undefined) return refuse('no release was named');
    if (own === undefined) return refuse('this agent runs from a checkout, and is made newer there');
    if (!allowed) return refuse('root of this box keeps its release (`upgrades` in agent.json)');
    if (sameRelease(own.id, wanted.id)) return refuse(`release ${own.id} runs here already`);
    if (going || (await tools.installing())) return refuse('an upgrade is under way');
    return wanted;
  };
  return {
    check: async (wanted) => void (await allowedOf(wanted)),
    begin: async (asked) => {
      const wanted = await allowedOf(asked);
      if (going) return refuse('an upgrade is under way');
      going = true;
      alarm('');
      await makeFolder(folder, 0o700);
      void go(wanted).finally(() => {
        going = false;
      });
    },
    connected: () => void settle().catch(unsettled),
  };
}

async function readNote(file: string): Promise<UpgradeNote | null> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    return shape.Check(value) ? value : null;
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT' || err instanceof SyntaxError) return null;
    throw err;
  }
}
