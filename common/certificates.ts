/** Certificates as both ends read them: whose one is, by which key, since when and how long. */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { EvenkeelError } from '../protocol/errors.ts';
import { sha256 } from './digest.ts';

const DAY = 86_400_000;

/** Certificates begin this much before they are made, so that a box whose clock is behind accepts them. */
export const BACKDATED = DAY;
/** How long certificates hold, unless a test says otherwise. */
export const LIFETIME = 30 * DAY;

export interface Bearer {
  node: string;
  /** SHA-256 of its public key. */
  key: string;
  /** When it was issued and when it ends, in milliseconds since the epoch. */
  issued: number;
  ends: number;
}

/** SHA-256 of a public key's SubjectPublicKeyInfo, hexadecimal: what a Node remembers of its key. */
export const keyFingerprint = (key: KeyObject): string => sha256(key.export({ type: 'spki', format: 'der' }));

/** Reads PEM or DER. @throws EvenkeelError csr-invalid when it is no certificate */
export function parseCertificate(data: string | Buffer): X509Certificate {
  try {
    return new X509Certificate(data);
  } catch (cause) {
    throw new EvenkeelError('csr-invalid', 'this is not a certificate', { cause });
  }
}

/** Whose certificate it is. Says nothing about who vouches for it. @throws EvenkeelError csr-invalid without exactly one name */
export function bearerOf(certificate: X509Certificate): Bearer {
  const match = /^CN=([^\n+]+)$/.exec(certificate.subject);
  if (!match?.[1]) throw new EvenkeelError('csr-invalid', 'the subject of the certificate is not one name');
  return {
    node: match[1],
    key: keyFingerprint(certificate.publicKey),
    issued: Date.parse(certificate.validFrom) + BACKDATED,
    ends: Date.parse(certificate.validTo),
  };
}

/** Whether half of its life is over: the time to get the next one, with the other half to spare. */
export const renewalDue = ({ issued, ends }: { issued: number; ends: number }, now: number): boolean =>
  now >= issued + (ends - issued) / 2;
