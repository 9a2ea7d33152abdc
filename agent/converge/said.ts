/** Said: a checker's words as people read them, the same each time it says the same: without times, pids, and places of trees. */
import type { Pass } from './pass.ts';
import type { Wanted } from './render.ts';

const LONGEST = 1000;

export interface Said {
  reason: string;
  /** All of it, where that is more. */
  detail?: string;
}

/** @param message what it said about `wanted` */
export function saidOf({ unit }: Pick<Pass, 'unit'>, { validate }: Wanted, message: string): Said {
  const detail = message.slice(-LONGEST);
  const reason = withoutPlaces(partOf(message, validate?.message), unit.trees.folder).slice(-LONGEST);
  return reason === detail ? { reason } : { reason, detail };
}

function partOf(message: string, pattern: RegExp | undefined): string {
  const groups = pattern?.exec(message)?.groups ?? {};
  const parts = Object.values(groups).filter((part) => part !== undefined && part !== '');
  return parts.length > 0 ? parts.join(': ') : message;
}

/** Files of trees by their paths, as `evenkeel render` shows them. */
function withoutPlaces(text: string, folder: string): string {
  const [live, tree] = [`${folder}/files/`, `${folder}/trees/`].map(literally);
  return text
    .replaceAll(new RegExp(`${live}([^\\s"':]+)@[0-9a-f]{16}(?![0-9a-f])`, 'g'), '$1')
    .replaceAll(new RegExp(`${tree}[0-9a-f]{64}/`, 'g'), '');
}

const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
