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
  complete: () => Promise<Wanted>;
}

/** The keys of the items that are meant; none when nobody can tell. */
export type FindCulprits = (accusation: Accusation) => Promise<string[]>;

export const findCulprits: FindCulprits = async (accusation) => {
  const named = await byLine(accusation);
  if (named.length > 0) return named;
  const { message, wanted, complete } = accusation;
  const changed = quotedItems(message, wanted.rendered.files);
  return changed.length > 0 ? changed : quotedItems(message, (await complete()).rendered.files);
};

/** The last place that is named and belongs to an item: warnings come before the error. */
async function byLine({ message, wanted, trees, complete }: Accusation): Promise<string[]> {
  const { culprit } = wanted.validate ?? {};
  if (!culprit) return [];
  const flags = culprit.flags.includes('g') ? culprit.flags : `${culprit.flags}g`;
  const { digest } = wanted.manifest;
  const files = new Map(wanted.rendered.files.map((file) => [trees.place(file, digest), file]));
  const places = [...message.matchAll(new RegExp(culprit.source, flags))];
  for (const { groups } of places.reverse()) {
    const file = files.get(groups?.file ?? '');
    const item = file && (await itemAt(file, Number(groups?.line), complete));
    if (item !== undefined) return [item];
  }
  return [];
}

async function itemAt(file: RenderedFile, line: number, complete: Accusation['complete']) {
  if (file.text !== null) return spansAt(file, line);
  const whole = (await complete()).rendered.files.find(({ path }) => path === file.path);
  return whole && spansAt(whole, line);
}
