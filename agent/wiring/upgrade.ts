/** The upgrade of this very agent, with what it needs of the box. */
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import type { Log } from '../../common/log.ts';
import { ownRelease } from '../../common/own-release.ts';
import type { Config } from '../config.ts';
import type { ReportBody } from '../link/outbox.ts';
import { createUpgradeTools, type Manager } from '../upgrade/tools.ts';
import { createUpgrade, type Upgrade } from '../upgrade/upgrade.ts';

export interface OwnUpgradeOptions {
  config: Pick<Config, 'paths' | 'upgrades'>;
  identity: Manager;
  report: (body: ReportBody) => void;
  clock: Clock;
  log: Log;
}

export const createOwnUpgrade = ({ config, identity, ...context }: OwnUpgradeOptions): Upgrade =>
  createUpgrade({
    ...{ own: ownRelease(), allowed: config.upgrades, folder: join(config.paths.state, 'upgrade') },
    tools: createUpgradeTools(identity, context.clock),
    ...context,
  });
