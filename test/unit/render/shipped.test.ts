/** What ships, at the size and in the situations that it is made for. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { resolveDirectories, resolveValidate } from '../../../common/render/resolve.ts';
import { renderUnit, unitInputs } from '../../../common/render/unit.ts';
import type { Resource } from '../../../protocol/resource.ts';
import { declared, node, shipped, site } from './declared.ts';

const run = promisify(execFile);

describe('[2.6] web-nginx', () => {
  it('is accepted without a warning for 5,000 sites of three names: its tables are sized for them', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'web-'));
    try {
      const { find, template } = await shipped();
      const policy = find('Policy', 'web-nginx');
      const paths = { state: join(folder, 'state'), run: join(folder, 'run'), log: join(folder, 'log') };
      const box = node({ address: '127.0.0.1', paths, parameters: { httpPort: 18_081 } });
      const sites = Array.from({ length: 5000 }, (_, at) =>
        site(`site${at}.example`, { aliases: [`www.site${at}.example`, `*.of-site${at}.example`] }),
      );
      const unit = renderUnit(unitInputs({ policy, node: box, template, resources: sites }));
      expect(unit.files.filter(({ live }) => live)).toHaveLength(256);
      const places = unit.files.map((file) => ({
        ...file,
        place: join(file.live ? join(unit.context.folder, 'files') : unit.context.tree, file.name),
      }));
      for (const { place, text } of places) {
        await mkdir(dirname(place), { recursive: true });
        await writeFile(place, text ?? '');
      }
      await mkdir(paths.run);
      for (const { path } of resolveDirectories(policy, unit.context)) await mkdir(path, { recursive: true });
      const [command = '', ...args] = resolveValidate(policy, unit.context)?.run ?? [];
      const { stderr } = await run(command, args, { timeout: 20_000 });
      expect(stderr).not.toContain('hash');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('[2.7] balancer-haproxy', () => {
  const cluster = declared('Cluster', 'cluster', { address: '192.0.2.1', balancer: 'haproxy' });
  const lb = declared('Node', 'lb', { address: '192.0.2.5', roles: ['balancer'] });
  const pool = { role: 'web', check: 'http' };
  const service = (weights: object) =>
    declared('VirtualService', 'web', { vip: '192.0.2.9', ports: [80], pool, weights });
  const digestOf = async (...resources: Resource[]) => {
    const { find, template } = await shipped();
    const policy = find('Policy', 'balancer-haproxy');
    return renderUnit(unitInputs({ policy, node: lb, cluster, template, resources: [lb, ...resources] }))
      .digest;
  };

  it('is not touched by a drain, a hold, maintenance or a weight: these go by the runtime socket', async () => {
    const words = { drain: { reason: 'r', owner: 'o' }, hold: { reason: 'r', owner: 'o' }, weight: 7 };
    const plain = await digestOf(node(), service({}));
    expect(
      await digestOf(node({ ...words, maintenance: { reason: 'r', owner: 'o' } }), service({ n1: 5 })),
    ).toBe(plain);
    expect(await digestOf(node({ address: '127.0.0.12' }), service({}))).not.toBe(plain);
  });
});
