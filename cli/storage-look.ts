/** How a storage and its move look to people. */
import { sizeText } from '../common/units.ts';
import type { StoragePlace } from '../protocol/resources/storage.ts';
import type { StorageView } from '../protocol/storage.ts';
import type { Session } from './session.ts';
import { clockTime } from './time.ts';

export const whereText = ({ server, export: path }: StoragePlace): string =>
  `${typeof server === 'string' ? server : `node:${server.node}`}:${path}`;

/** One line; empty where it does not move. */
export function movingText({ move }: Pick<StorageView, 'move'>): string {
  if (!move) return '';
  return [`to ${whereText(move.to)}: ${move.phase}`, ...progressOf(move)].join(', ');
}

function progressOf({ progress, waits }: NonNullable<StorageView['move']>): string[] {
  if (!progress) return waits === '' ? [] : [waits];
  const { pass, files, bytes, left } = progress;
  const copied = `${files} files and ${sizeText(bytes)}`;
  return [`pass ${pass + 1}`, copied, ...(left > 0 ? [`${left} to look at`] : []), waits];
}

export function storagePage(view: StorageView, session: Session): string {
  const { name, mountpoint, mounts, move } = view;
  const rows = mounts.map(({ node, state, why }) => [
    node,
    { text: state, tone: state === 'ready' ? ('good' as const) : ('warn' as const) },
    why,
  ]);
  return [
    `${session.paint('bold', name)}  ${whereText(view)} at ${mountpoint}`,
    ...(move
      ? [
          `moves      ${movingText(view)}`,
          `copied by  ${move.by}`,
          `phase      ${move.phase} since ${clockTime(move.since)}; taken back at ${clockTime(move.deadline)} at the latest`,
          ...(move.frozen ? [`read-only  since ${clockTime(move.frozen)}`] : []),
        ]
      : []),
    rows.length === 0 ? 'no node mounts it' : session.table(['NODE', 'STATE', 'WHY'], rows),
  ].join('\n');
}
