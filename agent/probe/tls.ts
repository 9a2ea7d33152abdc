/** The TLS of a check: whose certificate counts, said once for every check that speaks it. */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import type { TlsTarget } from '../../common/render/resolved.ts';

/**
 * The certificate must be valid now, for the host (without one: for the address), and vouched for by `ca` (without it:
 * by the public authorities). Only a director's probe takes any certificate: it asks whether a member serves.
 */
export async function tlsOptions(
  { address, host = address, ca, certificate }: TlsTarget & { address: string },
  signal: AbortSignal,
): Promise<ConnectionOptions> {
  return {
    ca: ca === undefined ? undefined : await readFile(ca, { signal }),
    servername: isIP(host) === 0 ? host : '',
    checkServerIdentity: (_, shown) => checkServerIdentity(host, shown),
    rejectUnauthorized: certificate !== 'any',
  };
}
