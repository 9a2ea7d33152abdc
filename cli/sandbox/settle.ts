/** Where a sandbox listens: chosen at its first start, kept, and moved only where somebody else has taken a port since. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../common/files.ts';
import type { Control } from './control.ts';
import type { Layout } from './layout.ts';
import { addressesOf, DIRECTOR, MANAGER_ADDRESS, membersOf } from './members.ts';
import { choosePorts, isFree } from './ports.ts';
import { daemonsOf } from './processes.ts';
import { type PortName, readSettings, type Settings, writeSettings } from './settings.ts';

/** The addresses on which each port must be free. */
const listeners = (nodes: number): Record<PortName, string[]> => ({
  api: [MANAGER_ADDRESS],
  machines: [MANAGER_ADDRESS],
  broker: [MANAGER_ADDRESS],
  fallback: [MANAGER_ADDRESS],
  balancer: [MANAGER_ADDRESS],
  web: addressesOf(nodes),
  webTls: addressesOf(nodes),
  health: [MANAGER_ADDRESS, ...addressesOf(nodes)],
});

/** The settings of an earlier start, their ports checked; or new ones. Manager and agents do not run at this moment. */
export async function settle(layout: Layout, nodes: number): Promise<Settings> {
  const known = readSettings(layout);
  if (known) return move(layout, known);
  const settings: Settings = { nodes, ports: await choosePorts(listeners(nodes)), declared: false };
  await writeSettings(layout, settings);
  return settings;
}

async function move(layout: Layout, settings: Settings): Promise<Settings> {
  const wanted = listeners(settings.nodes);
  const lost: PortName[] = [];
  for (const name of Object.keys(wanted) as PortName[]) {
    const port = settings.ports[name];
    const keeps =
      port !== undefined && (heldByUs(name, layout, settings) || (await isFree(port, wanted[name])));
    if (!keeps) lost.push(name);
  }
  if (lost.length === 0) return settings;
  const open = Object.fromEntries(lost.map((name) => [name, wanted[name]])) as Record<PortName, string[]>;
  const ports = { ...settings.ports, ...(await choosePorts(open, { avoid: Object.values(settings.ports) })) };
  const moved: Settings = { ...settings, ports, redeclare: true };
  await writeSettings(layout, moved);
  await tellProcesses(layout, moved);
  return moved;
}

/** A daemon that has outlived its agent still listens, and its next agent takes it over. */
function heldByUs(name: PortName, layout: Layout, settings: Settings): boolean {
  if (!['web', 'webTls', 'balancer'].includes(name)) return false;
  const users = membersOf(settings, layout).filter(
    (member) => (member.name === DIRECTOR) === (name === 'balancer'),
  );
  return users.some((member) => daemonsOf(layout.node(member.name)).length > 0);
}

/** The manager and each agent keep the manager's ports in a file of their own. */
async function tellProcesses(layout: Layout, settings: Settings): Promise<void> {
  const agents = membersOf(settings, layout).map(({ name }) =>
    join(layout.node(name).state, 'identity', 'manager.json'),
  );
  for (const file of [join(layout.manager, 'manager.json'), ...agents]) {
    if (!existsSync(file)) continue;
    const config = JSON.parse(readFileSync(file, 'utf8')) as { ports: Record<string, number> };
    const theirs = Object.keys(config.ports).map((name) => [name, settings.ports[name as PortName]]);
    const changed = { ...config, ports: Object.fromEntries(theirs) };
    await writeFileAtomic(file, `${JSON.stringify(changed, null, 2)}\n`, { mode: 0o600 });
  }
}

/** Ports that stand in declared resources are moved as an operator would: by changing the resources. */
export async function redeclarePorts(
  layout: Layout,
  settings: Settings,
  control: Control,
): Promise<Settings> {
  if (!settings.redeclare) return settings;
  const { ports } = settings;
  for (const { name, parameters } of membersOf(settings, layout))
    await control.patch('Node', name, { parameters });
  await control.patch('Cluster', 'cluster', {
    fallback: { port: ports.fallback },
    health: { port: ports.health },
  });
  await control.patch('VirtualService', 'web', { ports: [{ port: ports.balancer, target: ports.web }] });
  const done: Settings = { ...settings, redeclare: false };
  await writeSettings(layout, done);
  return done;
}
