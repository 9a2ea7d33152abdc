/** Where a sandbox listens, from its first start on: kept while free, moved when somebody else has taken a port. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Control } from '../../../cli/sandbox/control.ts';
import { type Layout, layoutOf, refuseUnfit } from '../../../cli/sandbox/layout.ts';
import { readSettings } from '../../../cli/sandbox/settings.ts';
import { redeclarePorts, settle } from '../../../cli/sandbox/settle.ts';

let layout: Layout;
let open: Server[];
beforeEach(() => {
  layout = layoutOf(mkdtempSync(join(tmpdir(), 'evenkeel-settle-')));
  open = [];
});
afterEach(() => {
  for (const server of open) server.close();
  rmSync(layout.dir, { recursive: true });
});

const occupy = (host: string, port: number) =>
  new Promise<void>((resolve) => {
    open.push(createServer().listen({ host, port }, resolve));
  });
const writeJson = (file: string, value: unknown) => {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(value));
};
const portsIn = (file: string) =>
  (JSON.parse(readFileSync(file, 'utf8')) as { ports: Record<string, number> }).ports;

describe('[2.9] the ports of a sandbox', () => {
  it('are the same at every start while they are free', async () => {
    const first = await settle(layout, 3);
    expect(await settle(layout, 3)).toEqual(first);
    expect(first.nodes).toBe(3);
  });

  it('move when taken, and the manager and its agents are told', async () => {
    const { ports } = await settle(layout, 2);
    const managerFile = join(layout.manager, 'manager.json');
    const agentFile = join(layout.node('n1').state, 'identity', 'manager.json');
    const { api, machines, broker, fallback } = ports;
    writeJson(managerFile, { address: '127.0.0.1', ports: { api, machines, broker, fallback } });
    writeJson(agentFile, { node: 'n1', ports: { api, machines, broker } });
    await occupy('127.0.0.1', broker);
    await occupy('127.0.0.12', ports.web);

    const moved = await settle(layout, 2);
    expect(moved.ports).toMatchObject({ api, machines, fallback, balancer: ports.balancer });
    expect(moved.ports.broker).not.toBe(broker);
    expect(moved.ports.web).not.toBe(ports.web);
    expect(portsIn(managerFile)).toEqual({ api, machines, broker: moved.ports.broker, fallback });
    expect(portsIn(agentFile)).toEqual({ api, machines, broker: moved.ports.broker });
  });

  it('that resources name are moved there too, once', async () => {
    const { ports } = await settle(layout, 1);
    await occupy('127.0.0.1', ports.balancer);
    const moved = await settle(layout, 1);
    const patched: string[] = [];
    const control = {
      patch: async (kind: string, name: string, spec: object) => {
        patched.push(`${kind}/${name} ${JSON.stringify(spec)}`);
      },
    } as Control;
    const done = await redeclarePorts(layout, moved, control);
    expect(patched).toContainEqual(
      `VirtualService/web {"ports":[{"port":${moved.ports.balancer},"target":${ports.web}}]}`,
    );
    await redeclarePorts(layout, done, control);
    expect(patched).toHaveLength(4);
    expect(readSettings(layout)).toEqual(done);
  });
});

describe('[2.9] a place for a sandbox', () => {
  it('is refused when sockets or templates could not work there', () => {
    expect(() => refuseUnfit(layoutOf(`/tmp/${'long'.repeat(20)}`))).toThrow(/too long a path/);
    expect(() => refuseUnfit(layoutOf('/tmp/with space'))).toThrow(/letters, digits/);
    expect(() => refuseUnfit(layout)).not.toThrow();
  });
});
