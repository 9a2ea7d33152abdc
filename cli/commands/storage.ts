/** `evenkeel storage`: where site data lie, who mounts them, and taking them to another server. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { StoragePlace } from '../../protocol/resources/storage.ts';
import type { StorageView } from '../../protocol/storage.ts';
import { Ended } from '../failure.ts';
import { withProgress } from '../progress.ts';
import { type Session, sessionOf } from '../session.ts';
import { movingText, storagePage, whereText } from '../storage-look.ts';

export function addStorage(program: Command): void {
  const storage = program
    .command('storage')
    .description('where site data lie: list, show, move to another server, cancel a move')
    .addHelpText('after', HELP);
  addList(storage);
  addShow(storage);
  addMove(storage);
  addCancel(storage);
}

const HELP = `
Examples:
  evenkeel storage move home --to 10.0.0.40:/vol/home --by web1 --wait
  evenkeel storage move home --to node:files1:/srv/home --by web1
  evenkeel storage cancel home                     nodes stay with, or go back to, the old server

Nothing is deleted on the old server. Sites are read all the time; for the end of a move nobody can write for a while.
`;

function addList(storage: Command): void {
  storage
    .command('list')
    .description('every storage, and how its nodes stand to it')
    .action(async (_: object, command: Command) => {
      const session = sessionOf(command);
      const { items } = await session.client.call('storages');
      const rows = items.map((one) => [
        one.name,
        whereText(one),
        one.mountpoint,
        nodesText(one),
        movingText(one),
      ]);
      session.print(items, () =>
        items.length === 0
          ? 'there is no Storage'
          : session.table(['STORAGE', 'SERVER', 'MOUNTED AT', 'NODES', 'MOVE'], rows),
      );
    });
}

const nodesText = ({ mounts }: StorageView): string =>
  `${mounts.filter(({ state }) => state === 'ready').length} of ${mounts.length}`;

function addShow(storage: Command): void {
  storage
    .command('show')
    .description('which nodes mount it, and how far its move has come')
    .argument('<name>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const view = await session.client.call('storage', { params: { name } });
      session.print(view, () => storagePage(view, session));
    });
}

interface MoveOptions {
  to: StoragePlace;
  by: string;
  compareWithin: string;
  wait: boolean;
}

function addMove(storage: Command): void {
  storage
    .command('move')
    .description('copy it to another server while sites are served, and take all nodes there')
    .argument('<name>')
    .requiredOption(
      '--to <place>',
      'SERVER:EXPORT, or node:NAME:EXPORT for a node of the role storage',
      placeOf,
    )
    .requiredOption('--by <node>', 'the node that copies: one that mounts it')
    .option(
      '--compare-within <duration>',
      'how long both sides may be read whole, read-only meanwhile',
      '30m',
    )
    .option('--wait', 'until it has moved, or was taken back', false)
    .action(async (name: string, { to, by, compareWithin, wait }: MoveOptions, command: Command) => {
      const session = sessionOf(command);
      const { next: since } = await session.client.call('events', { query: { limit: 1 } });
      const parts = { params: { name }, body: { to, by, compareWithin } };
      const { answer, warnings } = await session.client.callWarned('storageMove', parts);
      for (const warning of warnings) session.warn(warning);
      if (wait) return waited(session, answer, since);
      session.print(
        answer,
        () => `Storage/${name} is copied by ${by}; \`evenkeel storage show ${name}\` shows how far it is`,
      );
    });
}

const EVERY_MS = 1_000;
const OVER = ['storage.moved', 'storage.reverted'];

/** Until the event that tells how it ended, which says more than where the storage then is. */
async function waited(session: Session, begun: StorageView, since: string): Promise<void> {
  const { client } = session;
  const { name, move } = begun;
  const end = await withProgress(`Storage/${name} moves`, async ({ say }) => {
    for (;;) {
      const view = await client.call('storage', { params: { name } });
      const isOver = view.move?.id !== move?.id;
      const { items } = await client.call('events', { query: { since, type: 'storage', limit: 1000 } });
      const told = items.find(
        ({ type, data }) => OVER.includes(type) && (data as { id?: string } | undefined)?.id === move?.id,
      );
      if (told) return { ...told, view };
      if (isOver) return { type: 'unknown', message: `the move of Storage/${name} is over`, view };
      say(movingText(view));
      await sleep(EVERY_MS);
    }
  });
  session.print(end.view, () => end.message);
  if (end.type === 'storage.moved') return;
  if (session.output !== 'table') session.warn(end.message);
  throw new Ended('unfinished');
}

function addCancel(storage: Command): void {
  storage
    .command('cancel')
    .description('take a move back: nodes stay with, or go back to, the old server')
    .argument('<name>')
    .action(async (name: string, _: object, command: Command) => {
      const session = sessionOf(command);
      const view = await session.client.call('storageCancel', { params: { name } });
      session.print(view, () => `Storage/${name} stays at ${whereText(view)}`);
    });
}

/** `10.0.0.40:/vol/home`, or `node:files1:/srv/home`. */
export function placeOf(text: string): StoragePlace {
  const [, node, address, path] = /^(?:node:([^:]+)|([0-9.]+)):(\/.*)$/.exec(text) ?? [];
  if (path === undefined)
    throw new InvalidArgumentError('use SERVER:EXPORT or node:NAME:EXPORT, such as 10.0.0.40:/vol/home');
  if (node !== undefined) return { server: { node }, export: path };
  return { server: address ?? '', export: path };
}
