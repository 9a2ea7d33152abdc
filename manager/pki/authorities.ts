/** The authorities on disk: all that are still valid are trusted, and one of them signs. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BACKDATED, parseCertificate } from '../../common/certificates.ts';
import { makeFolder, writeFileAtomic } from '../../common/files.ts';
import { type Credential, makeAuthority } from './x509.ts';

export interface Authority extends Credential {
  issued: number;
  ends: number;
}

const folderOf = (pki: string) => join(pki, 'authorities');

/** Makes the next authority. The key is written first: without its certificate it is nothing, and is written over. */
export async function addAuthority(pki: string, now: number): Promise<void> {
  const folder = folderOf(pki);
  await makeFolder(folder, 0o700);
  const number = (await numbersIn(folder)).length + 1;
  const { certificate, key } = await makeAuthority(now);
  await writeFileAtomic(join(folder, `${number}.key`), key, { mode: 0o600 });
  await writeFileAtomic(join(folder, `${number}.pem`), certificate, { mode: 0o600 });
}

async function numbersIn(folder: string): Promise<number[]> {
  const numbers = (await readdir(folder)).map((file) => Number(/^(\d+)\.pem$/.exec(file)?.[1] ?? 0));
  return numbers.filter((number) => number > 0).sort((a, b) => a - b);
}

/** Oldest first. */
export async function readAuthorities(pki: string): Promise<Authority[]> {
  const folder = folderOf(pki);
  const read = async (number: number): Promise<Authority> => {
    const certificate = await readFile(join(folder, `${number}.pem`), 'utf8');
    const key = await readFile(join(folder, `${number}.key`), 'utf8');
    const { validFrom, validTo } = parseCertificate(certificate);
    return { certificate, key, issued: Date.parse(validFrom) + BACKDATED, ends: Date.parse(validTo) };
  };
  return Promise.all((await numbersIn(folder)).map(read));
}

/** Those whose word still counts. */
export const trustedOf = (authorities: Authority[], now: number): Authority[] =>
  authorities.filter(({ ends }) => ends > now);

/**
 * Who signs: the newest that has been trusted for the whole life of a certificate, since by then every node has
 * renewed and carries it; the oldest while there is none such.
 */
export function signerOf(authorities: Authority[], now: number, lifetime: number): Authority | undefined {
  const trusted = trustedOf(authorities, now);
  return trusted.filter(({ issued }) => issued + lifetime <= now).at(-1) ?? trusted[0];
}

/** Whether a successor is due: half of the newest one's life is over. */
export function successorDue(authorities: Authority[], now: number): boolean {
  const newest = authorities.at(-1);
  return newest !== undefined && now >= newest.issued + (newest.ends - newest.issued) / 2;
}
