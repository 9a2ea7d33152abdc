/** A manager's API with a real store and real rules, and `evenkeel setup` against it with a home of its own. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { stringify } from 'yaml';
import { kindNames } from '../../protocol/resource.ts';
import { startTestApi, type TestApi, type TestApiOptions } from './api.ts';
import { type Ran, runCli } from './sandbox.ts';

export interface SetupApi {
  api: TestApi;
  /** How the CLI finds it. */
  base: string[];
  setup(...args: string[]): Promise<Ran>;
  /** Answers that are good, with some of them otherwise. @returns the file */
  file(part?: object): string;
  /** Everything that is declared, by name, without its revision. */
  world(): Record<string, unknown>;
  /** What a setup keeps. */
  keptFiles(): string[];
  invites(): Promise<{ name: string; state: string }[]>;
  /** The names of those that nobody has used or taken back. */
  openInvites(): Promise<string[]>;
}

const answers = {
  address: '127.0.0.1',
  networks: { cluster: '127.0.0.0/16' },
  nodes: [
    { name: 'lb1', address: '127.0.0.10', roles: ['balancer'] },
    { name: 'web1', address: '127.0.0.11', roles: ['web'] },
    { name: 'nas', address: '127.0.0.20', roles: ['storage'] },
  ],
  balancer: { driver: 'lvs', forwarding: 'DR', card: 'eth0' },
  visitors: { vip: '127.0.0.100', http: 80 },
  storage: { server: { node: 'nas' }, export: '/data/home', mountpoint: '/chroot/home' },
  approveJoins: false,
};

/** One for each test. */
export function useSetupApi(options: TestApiOptions = {}): () => SetupApi {
  let now: SetupApi | undefined;
  beforeEach(async () => {
    now = await startSetupApi(options);
  });
  afterEach(async () => {
    delete process.env.XDG_CONFIG_HOME;
    await now?.api.stop();
  });
  return () => {
    if (!now) throw new Error('the API has not started');
    return now;
  };
}

async function startSetupApi(options: TestApiOptions): Promise<SetupApi> {
  const api = await startTestApi(options);
  const home = join(api.folder, 'home', 'evenkeel');
  mkdirSync(home, { recursive: true });
  process.env.XDG_CONFIG_HOME = join(api.folder, 'home');
  const caFile = join(api.folder, 'ca.crt');
  writeFileSync(caFile, api.pki.bundle());
  const base = ['--api', api.url, '--ca', caFile, '--token', api.tokens.admin];
  const invites: SetupApi['invites'] = async () =>
    ((await api.ask('GET', '/api/v1/invites')).json() as { items: { name: string; state: string }[] }).items;
  return {
    ...{ api, base, invites },
    setup: (...args) => runCli([...base, 'setup', ...args]),
    file: (part = {}) => {
      const path = join(api.folder, 'setup.yaml');
      writeFileSync(path, stringify({ ...answers, ...part }));
      return path;
    },
    world: () => {
      const view = api.store.view();
      const all = kindNames.flatMap((kind) =>
        [...view[kind].values()].map((one): [string, unknown] => [
          `${kind}/${one.name}`,
          'spec' in one && one.spec,
        ]),
      );
      return Object.fromEntries(all);
    },
    keptFiles: () =>
      readdirSync(home)
        .filter((name) => name.endsWith('.json'))
        .map((name) => join(home, name)),
    openInvites: async () =>
      (await invites())
        .filter(({ state }) => state === 'open')
        .map(({ name }) => name)
        .sort(),
  };
}
