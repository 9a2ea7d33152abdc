/** The network of a test that runs inside: a device that is up, and its commands. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What a command says; its words when it fails. */
export function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    timeout: 10_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export const ip = (...args: string[]): string => run('ip', ...args);

/** A bridge stands for a network card: every kernel has it, and it is up without a cable. */
export function bringUp(): void {
  ip('link', 'set', 'lo', 'up');
  ip('link', 'add', 'web0', 'type', 'bridge');
  ip('address', 'add', '10.0.0.11/24', 'dev', 'web0');
  ip('link', 'set', 'web0', 'up');
}

export const addresses = (device: string): string[] =>
  [...ip('-o', 'address', 'show', 'dev', device).matchAll(/inet6? (\S+)/g)].map(([, one]) => one ?? '');

export const setting = (key: string): string =>
  readFileSync(`/proc/sys/${key.replaceAll('.', '/')}`, 'utf8').trim();

export const rules = (family = '-4'): string => ip(family, 'rule', 'show');

export function routes(table: string): string {
  try {
    return ip('route', 'show', 'table', table).trim();
  } catch {
    return ''; // there is no such table while nothing is in it
  }
}

export const marks = (): string => run('iptables-legacy', '-t', 'mangle', '-S');
