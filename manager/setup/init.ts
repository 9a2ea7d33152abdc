/** First setup of a manager: keys, store, shipped policies and templates, and one admin token. */
import { access } from 'node:fs/promises';
import type { Clock } from '../../common/clock.ts';
import { makeFolder, writeFileAtomic } from '../../common/files.ts';
import { createLog } from '../../common/log.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import { placesOf, writeConfig } from '../config.ts';
import { rules } from '../desired/rules.ts';
import { createPki, initPki } from '../pki/pki.ts';
import { loadShipped } from '../shipped.ts';
import { openStore } from '../store/open.ts';
import { fill } from './fill.ts';

export interface InitOptions {
  data: string;
  content: string;
  address: string;
  balancer: string;
  apiPort: number;
  machinesPort: number;
  brokerPort: number;
  fallbackPort: number;
  /** Where the admin token is kept instead of being shown, so that an init that is killed loses none. */
  tokenFile?: string;
}

export interface Initialised {
  /** The admin token, shown this once. */
  token: string;
  /** The file with the certificate of the authority, PEM. */
  ca: string;
  /** SHA-256 of that certificate. */
  fingerprint: string;
}

/**
 * `manager.json` is written last, so an interrupted init can be run again: it goes on with the keys that are there.
 * @throws EvenkeelError already-exists when the folder holds a manager
 */
export async function init(options: InitOptions, clock: Clock): Promise<Initialised> {
  const { data, address } = options;
  const places = placesOf(data);
  if (await exists(places.config))
    throw new EvenkeelError('already-exists', `${data} holds a manager already`);
  const log = createLog('manager', 'silent');
  const shipped = await loadShipped(options.content);
  await makeFolder(data, 0o700);
  await initPki({ folder: places.pki, clock });
  const pki = await createPki({ folder: places.pki, address, clock, log });
  const store = await openStore({ file: places.store, rules, create: true, clock, log });
  const token = await fill(store, options, shipped).finally(() => store.close());
  await writeFileAtomic(places.authority, pki.bundle());
  if (options.tokenFile !== undefined)
    await writeFileAtomic(options.tokenFile, `${token}\n`, { mode: 0o600 });
  await writeConfig(data, {
    address,
    ports: {
      api: options.apiPort,
      machines: options.machinesPort,
      broker: options.brokerPort,
      fallback: options.fallbackPort,
    },
    logLevel: 'info',
  });
  return { token, ca: places.authority, fingerprint: pki.fingerprint() };
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
