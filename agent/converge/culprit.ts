/** The culprit: whom a checker's message means, by the file and line that it names, or else by a value that it quotes. */
import { quotedItems, spansAt } from '../../common/render/culprit.ts';
import type { RenderedFile } from '../../common/render/rendered.ts';
import type { Trees } from '../state/trees.ts';
import type { Wanted } from './render.ts';

export interface Accusation {
  message: string;
  wanted: Wanted;
  trees: Pick<Trees, 'place'>;
  /** The same tree with the text of every file. */
  complete: () => Wanted;
}

/** The keys of the items that are meant; none when nobody can tell. */
export type FindCulprits = (accusation: Accusation) => string[];

export const findCulprits: FindCulprits = (accusation) => {
  const named = byLine(accusation);
  if (named.length > 0) return named;
  const { message, wanted, complete } = accusation;
  const changed = quotedItems(message, wanted.rendered.files);
  return changed.length > 0 ? changed : quotedItems(message, complete().rendered.files);
};

/** The last place that is named and belongs to an item: warnings come before the error. */
function byLine({ message, wanted, trees, complete }: Accusation): string[] {
  const { culprit } = wanted.validate ?? {};
  if (!culprit) return [];
  const flags = culprit.flags.includes('g') ? culprit.flags : `${culprit.flags}g`;
  const { digest } = wanted.manifest;
  const files = new Map(wanted.rendered.files.map((file) => [trees.place(file, digest), file]));
  const items = [...message.matchAll(new RegExp(culprit.source, flags))].flatMap(({ groups }) => {
    const file = files.get(groups?.file ?? '');
    return file ? (itemAt(file, Number(groups?.line), complete) ?? []) : [];
  });
  return items.slice(-1);
}

function itemAt(file: RenderedFile, line: number, complete: () => Wanted): string | undefined {
  if (file.text !== null) return spansAt(file, line);
  const whole = complete().rendered.files.find(({ path }) => path === file.path);
  return whole && spansAt(whole, line);
}
