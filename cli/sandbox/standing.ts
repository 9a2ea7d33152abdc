/** How the sandbox stands right now, as up.json shows it: addresses, folders, and the pids of this moment. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Brought } from './bring-up.ts';
import { type Layout, shownPath } from './layout.ts';
import { DIRECTOR, MANAGER_ADDRESS, type Member } from './members.ts';
import { daemonOf, type ProcessId } from './processes.ts';
import type { Up } from './settings.ts';

type Running = Record<string, ProcessId>;

export function standing({ settings, members, control }: Brought, layout: Layout, running: Running): Up {
  const { ports } = settings;
  const nodes = members
    .filter(({ name }) => name !== DIRECTOR)
    .map((member) => ({ ...nodeStanding(member, layout, running), http: ports.web }));
  const director = members.find(({ name }) => name === DIRECTOR) as Member;
  return {
    api: control.api,
    ca: shownPath(layout, control.caFile),
    token: control.token,
    balancer: `http://${MANAGER_ADDRESS}:${ports.balancer}`,
    pid: running.manager?.pid ?? null,
    supervisor: process.pid,
    nodes,
    director: nodeStanding(director, layout, running),
  };
}

function nodeStanding({ name, address }: Member, layout: Layout, running: Running) {
  const { root, run } = layout.node(name);
  const pid = { agent: running[name]?.pid ?? null, ...daemonPids(run) };
  return { name, address, root: shownPath(layout, root), pid };
}

/** One entry for each pid file: `web-nginx.pid` is of the unit's daemon `nginx`, whatever role and daemon that is. */
function daemonPids(run: string): Record<string, number | null> {
  const files = readdirSync(run).filter((name) => name.endsWith('.pid'));
  return Object.fromEntries(
    files.map((name) => [name.replace(/^.*-|\.pid$/g, ''), daemonOf(join(run, name))?.pid ?? null]),
  );
}

/** What a person is told once it serves: where everything is, and what to try. */
export function summaryOf(up: Up, layout: Layout): string[] {
  const nodes = up.nodes.map(({ name, address, http }) => `${name} ${address}:${http}`);
  return [
    '',
    `  sites      ${up.balancer}/`,
    `  nodes      ${nodes.join(', ')}`,
    `  API        ${up.api}`,
    `  logs       ${layout.log('*')}`,
    `  programs   ${layout.upFile}`,
    '',
    '  try next',
    `    curl -i ${up.balancer}/           again and again: ${NODES_ANSWER}`,
    '    npx evenkeel nodes',
    '    npx evenkeel pools',
    '    npx evenkeel node drain n1',
    '    npm run down',
    '',
  ];
}

const NODES_ANSWER = 'the nodes take turns';
