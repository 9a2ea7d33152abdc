/** Mounts as the kernel itself lists them, which it does whatever the file servers do. Pure. */

/** The list. */
export const MOUNTS = '/proc/self/mountinfo';

export interface Mounted {
  point: string;
  /** Which file system it is: of two at one disk it is the same. */
  device: string;
  /** What of that file system is seen at the point. */
  root: string;
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
    const [, , device = '', ...places] = head.split(' ');
    const [root = '', point = '', own = ''] = places.map(unescapeOctal);
    const [type = '', source = '', options = ''] = tail.split(' ').map(unescapeOctal);
    if (point === '') return [];
    return [{ point, device, root, type, source, own: own.split(','), options: options.split(',') }];
  });
