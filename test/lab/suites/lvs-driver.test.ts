/** The drivers of LVS keep the contract of a balancer's driver on a kernel that has IPVS, with a real keepalived. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Declaration } from '../../../agent/drivers/lvs/structure.ts';
import { renderUnit, unitInputs } from '../../../common/render/unit.ts';
import type { ResourceOf } from '../../../protocol/resource.ts';
import { promises } from '../../contract/balancer.contract.ts';
import { ADDRESSES, RUN, VIP } from '../../contract/declared.ts';
import { resource } from '../../support/lvs.ts';
import { shipped } from '../../unit/render/declared.ts';
import { checkout } from '../host.ts';
import { useBoxes } from '../use-lab.ts';

const boxes = useBoxes([{ name: 'kept' }, { name: 'bare' }]);

const services = [
  resource('VirtualService', 'web', {
    ...{ vip: VIP, ports: [80], forwarding: 'NAT', persistence: { seconds: 300 }, fallback: 'none' },
    pool: { role: 'web', check: 'http' },
  }),
];
const nodes = Object.entries(ADDRESSES).map(([name, address]) =>
  resource('Node', name, { roles: ['web'], address }),
);
const declaration: Declaration = { services, nodes, director: { address: '127.0.1.5', fallbackPort: 2480 } };

/** What the policy that ships makes of it. */
async function configuration(): Promise<string> {
  const { resources } = await shipped();
  const find = (kind: string, name: string) =>
    resources.find((one) => one.kind === kind && one.name === name);
  const paths = { state: '/var/lib/evenkeel', run: RUN, log: '/var/log/evenkeel' };
  const unit = renderUnit(
    unitInputs({
      policy: find('Policy', 'balancer-lvs') as ResourceOf<'Policy'>,
      node: resource('Node', 'box', { roles: ['balancer'], address: '127.0.1.5', paths }),
      cluster: resource('Cluster', 'cluster', { address: '127.0.1.1' }),
      template: (name) => (find('Template', name) as ResourceOf<'Template'>).spec,
      resources: [...services, ...nodes],
    }),
  );
  return unit.files.find(({ path }) => path === 'keepalived.conf')?.text ?? '';
}

/** Guests are slow to start processes, and each promise starts many. */
const LONGEST_MS = 150_000;
const ended: Record<string, Record<string, string>> = {};
beforeAll(async () => {
  const keepalived = await configuration();
  const run = async (name: string, driver: string) => {
    const box = boxes().box(name);
    writeFileSync(join(box.folder, 'keepalived.conf'), keepalived);
    writeFileSync(join(box.folder, 'declared.json'), JSON.stringify(declaration));
    await build({
      ...{
        entryPoints: [join(checkout, 'test/contract/in-box.ts')],
        outfile: join(box.folder, 'in-box.mjs'),
      },
      ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'error' },
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
    const said = await box.run(
      `modprobe ip_vs; modprobe ip_vs_wlc; ip addr add ${VIP}/32 dev lo
      node /lab/in-box.mjs ${driver} /lab/keepalived.conf /lab/declared.json`,
      { timeout: LONGEST_MS },
    );
    ended[driver] = JSON.parse(said) as Record<string, string>;
  };
  await Promise.all([run('kept', 'lvs'), run('bare', 'ipvsadm')]);
}, 2 * LONGEST_MS);

const ofTheTable = [
  'puts right a scheduler, a persistence and a stranger, and leaves other addresses alone',
  'puts back the whole service when the table was cleared',
  'leaves nothing of its own to another driver, and all that is not its own',
];
const HUNG = 'writes the table itself while keepalived hangs, and says so until it obeys again';

describe('[3.2] the driver of LVS with keepalived', () => {
  it.each([...Object.keys(promises), HUNG, ...ofTheTable])('%s', (title) =>
    expect(ended.lvs?.[title]).toBe('kept'),
  );
});

describe('[3.2] the driver of LVS without keepalived', () => {
  it.each([...Object.keys(promises), ...ofTheTable])('%s', (title) =>
    expect(ended.ipvsadm?.[title]).toBe('kept'),
  );
});
