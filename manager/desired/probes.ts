/** Probes: what a director is told to try of a service can be tried. Pure. */
import type { Problem } from '../../protocol/errors.ts';
import { type Put, problemAt, type Touched } from './place.ts';

export const probeProblems = (touched: Touched): Problem[] =>
  touched
    .puts('VirtualService')
    .flatMap(({ edit, resource }) =>
      [...elsewhere(resource), ...asksNothing(resource), ...speaksNoTls(resource)].map(
        ({ field, ...problem }) =>
          problemAt(edit, `spec/pool/probe/${field}`, { code: 'invalid-document', ...problem }),
      ),
    );

interface Complaint {
  field: string;
  value?: string;
  message: string;
  fix: string;
}
type Service = Put<'VirtualService'>['resource'];

function elsewhere({ spec: { ports, pool } }: Service): Complaint[] {
  const { port: wanted } = pool.probe;
  if (wanted === undefined || ports.some(({ port }) => port === wanted)) return [];
  const fix = `use one of its ports: ${ports.map(({ port }) => port).join(', ')}`;
  return [{ field: 'port', value: `${wanted}`, message: `the service has no port ${wanted}`, fix }];
}

function asksNothing({ spec: { pool } }: Service): Complaint[] {
  if (pool.probe.type !== 'dns' || pool.probe.query !== undefined) return [];
  const fix = 'name one that every member knows, such as that of a zone it serves';
  return [{ field: 'query', message: 'a dns probe must ask for a name', fix }];
}

function speaksNoTls({ spec: { pool } }: Service): Complaint[] {
  const { type, tls } = pool.probe;
  if (tls === 'none' || ['smtp', 'imap', 'pop3', 'ftp'].includes(type)) return [];
  const fix = type === 'http' ? 'use the type https' : 'remove it';
  return [{ field: 'tls', value: tls, message: `a probe of the type ${type} has no such choice`, fix }];
}
