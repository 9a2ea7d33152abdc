/** Who is meant by a checker's message: the item at a line, or the items that hold a value the message quotes. */
import type { RenderedFile } from './rendered.ts';

type Rendered = Pick<RenderedFile, 'text' | 'spans'>;

/** The item that wrote a line, counted from 1; none when the line belongs to no item. */
export const spansAt = (file: Rendered, line: number): string | undefined =>
  file.spans.find(({ from, to }) => from <= line && line <= to)?.item;

const quotes = /"([^"]+)"|'([^']+)'|`([^`]+)`/g;
const inWord = /[A-Za-z0-9._/@-]/;

/**
 * The items whose rendered text holds a value that the message quotes; of several such values the one that fits the
 * fewest items speaks. A value that every item holds says nothing. Files that were not rendered cannot be searched.
 */
export function quotedItems(message: string, files: readonly Rendered[]): string[] {
  const values = [...message.matchAll(quotes)].map(
    ([, double, single, back]) => double ?? single ?? back ?? '',
  );
  const texts = files.flatMap(itemTexts);
  const hits = [...new Set(values)]
    .map((value) => texts.filter(({ text }) => holds(text, value)).map(({ item }) => item))
    .filter((items) => items.length > 0 && (items.length < texts.length || texts.length === 1));
  const fewest = Math.min(...hits.map((items) => items.length));
  return hits.find((items) => items.length === fewest) ?? [];
}

function itemTexts({ text, spans }: Rendered): { item: string; text: string }[] {
  const lines = (text ?? '').split('\n');
  return spans.map(({ item, from, to }) => ({ item, text: lines.slice(from - 1, to).join('\n') }));
}

/** Whether a text holds a value as a word of its own, and not as a part of a longer path or name. */
function holds(text: string, value: string): boolean {
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    const around = `${text[at - 1] ?? ' '}${text[at + value.length] ?? ' '}`;
    if (![...around].some((character) => inWord.test(character))) return true;
  }
  return false;
}
