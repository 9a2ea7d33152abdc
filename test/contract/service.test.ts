/** The direct driver keeps the contract of a service's driver. The systemd driver does in a box (systemd-driver in the lab). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'vitest';
import { createRun } from '../../agent/drivers/run.ts';
import { createServiceDriver } from '../../agent/drivers/services.ts';
import { systemClock as clock } from '../../common/clock.ts';
import { quiet as log } from '../support/courier.ts';
import { promises, tryOut } from './service.contract.ts';

let folder: string;
let bench: ReturnType<typeof tryOut>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-service-'));
  bench = tryOut({
    folder,
    driver: (executables) =>
      createServiceDriver('direct', {
        ...{
          executables,
          run: createRun({ executables, clock }),
          logFolder: join(folder, 'log'),
          clock,
          log,
        },
      }),
  });
});
afterEach(async () => {
  await bench.clean();
  rmSync(folder, { recursive: true });
});

describe('[4.8] the direct driver', () => {
  it.each(Object.keys(promises))('%s', async (title) => promises[title]?.(bench), 60_000);
});
