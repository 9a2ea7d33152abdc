/** What the suites declare: a site that names its node, and virtual services for it. */
import { copyFileSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { NodeOptions } from './cluster.ts';
import type { Guest } from './guest.ts';
import { run } from './host.ts';

export const VIP = '10.77.0.100';

/** A box that serves the site and says in each answer which one it is. */
export const webNode = (name: string, more: Partial<NodeOptions> = {}): NodeOptions => ({
  name,
  roles: ['web'],
  parameters: { nodeHeader: true },
  ...more,
});

/** A box that spreads the load. */
export const director = (name: string): NodeOptions => ({
  name,
  roles: ['balancer'],
  parameters: { vrrpInterface: 'vec0' },
});

export const DOMAIN = 'www.example.org';

export const site = {
  kind: 'Site',
  name: DOMAIN,
  spec: { root: '/srv/www', defaultServer: true },
};

/** The site's files, and one certificate for it, on all of these boxes, also after a power cut; returns the certificate. */
export async function furnish(boxes: readonly Guest[], folder: string): Promise<string> {
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', `/CN=${DOMAIN}`, '-addext', `subjectAltName=DNS:${DOMAIN}`];
  run('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject],
    ...['-keyout', key, '-out', cert],
  ]);
  await Promise.all(
    boxes.map((box) => {
      for (const file of [cert, key]) copyFileSync(file, join(box.folder, basename(file)));
      return box.run(`mkdir -p /srv/www /srv/tls; cp /lab/cert.pem /lab/key.pem /srv/tls/
        echo "this is ${box.name}" >/srv/www/index.html; sync`);
    }),
  );
  return readFileSync(cert, 'utf8');
}

interface Pool {
  slowStart?: string;
  holdDown?: { first: string; cap?: string };
  minMembers?: number;
  probe?: object;
}

export const webService = (spec: object = {}, pool: Pool = {}) => ({
  kind: 'VirtualService',
  name: 'web',
  spec: {
    vip: VIP,
    ports: [80],
    scheduler: 'rr',
    forwarding: 'DR',
    ...spec,
    pool: {
      role: 'web',
      check: 'http',
      probe: { type: 'http', path: '/', interval: '500ms', timeout: '1s', fall: 2, rise: 2 },
      // The same nodes fail again and again here: how soon they are back is measured without hold-down.
      holdDown: { first: '0s' },
      ...pool,
    },
  },
});
