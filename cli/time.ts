/** Times as people read them. */

const units: [name: string, seconds: number][] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
];

/** `3m ago`, `in 12d`; `-` where there is no moment. */
export function relative(moment: string | null, now = Date.now()): string {
  if (moment === null) return '-';
  const seconds = Math.round((now - Date.parse(moment)) / 1000);
  const [name, size] = units.find(([, unit]) => Math.abs(seconds) >= unit) ?? ['s', 1];
  const amount = `${Math.floor(Math.abs(seconds) / size)}${name}`;
  return seconds < 0 ? `in ${amount}` : `${amount} ago`;
}

/** `2026-11-21 09:12:33`, in the time of this machine. */
export function clockTime(moment: string): string {
  const date = new Date(moment);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Moments in what the manager says, in the time of this machine. */
export const withLocalTimes = (text: string): string =>
  text.replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, clockTime);

export const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;
