/** The kernel's own list of mounts, which answers whatever the file servers do. */
import type { Look } from './thing.ts';

export interface Mounted {
  point: string;
  type: string;
  source: string;
  /** Of this mount alone. */
  own: string[];
  /** Of the file system. */
  options: string[];
}

const unescapeOctal = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** In the order in which they were mounted: of several at one place, the last is seen. */
export function mountsNow(look: Look): Mounted[] {
  const lines = (look.read('/proc/self/mountinfo') ?? '').split('\n');
  return lines.flatMap((line): Mounted[] => {
    const [head = '', tail = ''] = line.split(' - ');
    const [, , , , point = '', own = ''] = head.split(' ');
    const [type = '', source = '', options = ''] = tail.split(' ');
    if (point === '') return [];
    const [place, from] = [point, source].map(unescapeOctal) as [string, string];
    return [{ point: place, type, source: from, own: own.split(','), options: options.split(',') }];
  });
}

export const mountAt = (point: string, look: Look): Mounted | undefined =>
  mountsNow(look).findLast((mounted) => mounted.point === point);

/** The file system that a path is on. */
export function mountOver(path: string, look: Look): Mounted | undefined {
  const over = mountsNow(look).filter(({ point }) => point === '/' || `${path}/`.startsWith(`${point}/`));
  const longest = Math.max(...over.map(({ point }) => point.length));
  return over.findLast(({ point }) => point.length === longest);
}
