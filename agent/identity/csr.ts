/** The box's own key, and requests for its certificate; the key never leaves the box. */
import { createPrivateKey, createPublicKey, generateKeyPair, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';

const EC = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const generate = promisify(generateKeyPair);

/** A new P-256 key, PEM. */
export async function newKey(): Promise<string> {
  const { privateKey } = await generate('ec', { namedCurve: EC.namedCurve });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** Loaded when a request is made, at the join and once in half a certificate's life: until then it would only fill memory. */
async function loadX509() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

/** A request for a certificate that carries this name and nothing else, PEM. */
export async function requestFor(name: string, key: string): Promise<string> {
  const x509 = await loadX509();
  const secret = createPrivateKey(key).export({ type: 'pkcs8', format: 'der' });
  const open = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [name] }],
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    keys: {
      privateKey: await webcrypto.subtle.importKey('pkcs8', secret, EC, false, ['sign']),
      publicKey: await webcrypto.subtle.importKey('spki', open, EC, true, ['verify']),
    },
  });
  return request.toString('pem');
}
