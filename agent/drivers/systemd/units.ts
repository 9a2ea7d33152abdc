/** The units of services: written and read, ended by systemd, and taken away again. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../../common/files.ts';
import { isAnyOfUnit } from '../../../common/processes.ts';
import type { ResolvedService } from '../../../common/render/resolved.ts';
import { EvenkeelError } from '../../../protocol/errors.ts';
import type { Systemctl } from './systemctl.ts';
import { pidFileIn, unitOf } from './unit.ts';

export interface Units {
  /** What systemd is told of a service; null when nothing is. */
  textOf(service: ResolvedService): Promise<string | null>;
  /** Whether another service has its name. */
  isAnothers(service: ResolvedService): Promise<boolean>;
  /** The file is written when it says something else. Level, not edge: an agent may have ended between this and that. */
  declare(service: ResolvedService, text: string): Promise<void>;
  /** By systemd, with all its processes. Whether it ran or not. */
  end(service: ResolvedService): Promise<void>;
  /** No unit of one that was ended is left, once systemd reads them again. A drop-in is an operator's and stays. */
  remove(service: ResolvedService): Promise<void>;
}

/** They are gone with a reboot: when each is started then, after which address and mount, is for the agent to say. */
const FOLDER = '/run/systemd/system';
/** systemd ends by itself what takes longer than the service may; only then is systemd itself given up. */
export const SLACK_MS = 30_000;
/** A stop that is asked for, then made by a signal, then by SIGKILL, has the service's time for each. */
export const STEPS = 3;

export function createUnits(systemctl: Systemctl): Units {
  const fileOf = (service: ResolvedService) => join(FOLDER, unitOf(service));
  const textOf = (service: ResolvedService) => textAt(fileOf(service));
  return {
    textOf,
    isAnothers: async (service) => {
      const text = await textOf(service);
      return text !== null && pidFileIn(text) !== service.pidFile;
    },
    declare: async (service, text) => {
      const isSame = (await textOf(service)) === text;
      if (!isSame) await writeFileAtomic(fileOf(service), text);
      if (!isSame || (await systemctl.show(unitOf(service))).isStale) await systemctl.readUnits();
    },
    end: async (service) => {
      const unit = unitOf(service);
      const { status, output } = await systemctl.tell('stop', unit, STEPS * service.timeout + SLACK_MS);
      // Nobody knows a unit that never was, and then nothing of it runs.
      if (status !== 0 && isAnyOfUnit(unit))
        throw new EvenkeelError('systemd-failed', `${service.name} was not ended: ${output.trim()}`);
    },
    remove: async (service) => {
      await rm(fileOf(service), { force: true });
      await systemctl.tell('reset-failed', unitOf(service), SLACK_MS);
    },
  };
}

async function textAt(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw err;
  }
}
