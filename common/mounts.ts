/** Mounts as the kernel itself lists them, which it does whatever the file servers do. Pure. */

/** The list. */
export const MOUNTS = '/proc/self/mountinfo';

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

/** @param table the text of MOUNTS @returns in the order in which they were mounted: of several at one place, the last is seen */
export const mountsIn = (table: string): Mounted[] =>
  table.split('\n').flatMap((line): Mounted[] => {
    const [head = '', tail = ''] = line.split(' - ');
    const [, , , , point = '', own = ''] = head.split(' ');
    const [type = '', source = '', options = ''] = tail.split(' ');
    if (point === '') return [];
    const [place, from] = [point, source].map(unescapeOctal) as [string, string];
    return [{ point: place, type, source: from, own: own.split(','), options: options.split(',') }];
  });
