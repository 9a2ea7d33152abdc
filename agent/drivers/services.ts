/** Which driver looks after the daemons of this box: its own settings say. Each ends what the other has started. */
import { createDirectDriver, type DirectOptions } from './direct.ts';
import type { ServiceDriver } from './driver.ts';
import { afterSystemd } from './systemd/after.ts';
import { createSystemdDriver } from './systemd/systemd.ts';

export function createServiceDriver(which: 'direct' | 'systemd', options: DirectOptions): ServiceDriver {
  const direct = createDirectDriver(options);
  return which === 'systemd'
    ? createSystemdDriver({ ...options, former: direct })
    : afterSystemd(direct, options.clock);
}
