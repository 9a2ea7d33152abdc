/** The systemd driver keeps the contract of a service's driver on a bare Debian whose init is systemd. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { promises } from '../../contract/service.contract.ts';
import { checkout } from '../host.ts';
import { offerPackages, useOffered } from '../packages.ts';
import { roots } from '../roots.ts';
import { useBoxes } from '../use-lab.ts';

const { root, packages } = roots();
const boxes = useBoxes([{ name: 'sd', root }]);

/** Guests are slow to start processes, and each promise starts many. */
const LONGEST_MS = 1_200_000;
let ended: Record<string, string> = {};
/** Their own units stay off, as install.sh has it. */
const INSTALL = `printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install nginx-light apache2 haproxy keepalived`;
let withdraw: () => void = () => undefined;
afterAll(() => withdraw());
beforeAll(async () => {
  const box = boxes().box('sd');
  copyFileSync(process.execPath, join(box.folder, 'node'));
  await build({
    entryPoints: [join(checkout, 'test/contract/service-in-box.ts')],
    outfile: join(box.folder, 'in-box.mjs'),
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  withdraw = await offerPackages(packages);
  await useOffered(box);
  await box.run(INSTALL, { timeout: LONGEST_MS });
  const { code, stdout, stderr } = await box.sh('/lab/node /lab/in-box.mjs', { timeout: LONGEST_MS });
  expect(code, stderr).toBe(0);
  process.stdout.write(stderr);
  ended = JSON.parse(stdout) as Record<string, string>;
}, 2 * LONGEST_MS);

const ofSystemd = [
  'is known to systemd with its main process, and what it says is in the journal',
  'has systemd read its units again when one has changed, and only then',
  'leaves no unit of a service that it has stopped for good',
  'ends the daemon that the direct driver has started before it starts its own, and leaves nothing of it',
  'is followed by the direct driver, which goes on with its daemon, has systemd end it, and leaves nothing of it',
  'waits for a start that an operator has begun, and ends it only when nobody works at it',
  'leaves it to an operator’s Restart= where there is one',
  'says what systemd has refused, or an operator has stopped, and nothing against the daemon',
  'goes on with what an operator does by systemctl',
  'neither starts nor stops under a name that another service runs with',
];

describe('[4.8] the systemd driver', () => {
  it.each([...Object.keys(promises), ...ofSystemd])('%s', (title) => expect(ended[title]).toBe('kept'));
});

describe('[4.8] under systemd, as their policies say,', () => {
  it.each(['nginx', 'apache', 'haproxy', 'keepalived-lvs', 'keepalived'])(
    '%s starts, loads another file, and stops',
    (name) => expect(ended[name]).toBe('kept'),
  );
});
