/** Which box this is, and which process: shown with each connection, so that a copied disk is told from the box it was copied from. */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Incarnation } from '../../protocol/messages.ts';

const MOST_CARDS = 4;
const NONE = '00:00:00:00:00:00';

/** @param root of the box; another one in tests */
export async function incarnationOf(root = '/'): Promise<Incarnation> {
  const at = (path: string) => textOf(join(root, path));
  const [boot, machine, uuid, cards] = await Promise.all([
    at('proc/sys/kernel/random/boot_id'),
    at('etc/machine-id'),
    at('sys/class/dmi/id/product_uuid'),
    cardsOf(join(root, 'sys/class/net')),
  ]);
  const hardware = [uuid && `uuid ${uuid}`, ...cards].filter(Boolean).join(' ').slice(0, 300);
  return { run: randomUUID(), boot, machine, hardware };
}

/** What a box or container does not have, or keeps to itself, is empty. */
const textOf = (path: string): Promise<string> =>
  readFile(path, 'utf8').then(
    (text) => text.trim().slice(0, 64),
    () => '',
  );

/** Addresses of cards that are devices; bridges and tunnels come and go. */
async function cardsOf(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch((): string[] => []);
  const cards = await Promise.all(
    names.map(async (name) => {
      const parts = await readdir(join(folder, name)).catch((): string[] => []);
      return parts.includes('device') ? textOf(join(folder, name, 'address')) : '';
    }),
  );
  return cards
    .filter((address) => address !== '' && address !== NONE)
    .sort()
    .slice(0, MOST_CARDS);
}
