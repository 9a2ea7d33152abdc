/** Certificates that were issued to nodes: which key, how long, and whether they were revoked. */
import { type Clock, moment } from '../../common/clock.ts';
import type { Db } from './db.ts';
import type { CertificateRecord, Certificates } from './store.ts';

const isLater = (a: CertificateRecord, b: CertificateRecord | undefined) =>
  b === undefined || a.expires >= b.expires;

export const readCertificates = (db: Db): Promise<CertificateRecord[]> =>
  db.read.all('SELECT serial, node, key, issued, expires FROM certificates WHERE revoked IS NULL');

export interface CertificatesOptions {
  db: Db;
  clock: Clock;
  rows: CertificateRecord[];
}

/** The latest of each node is in memory, since every list of nodes shows it. */
export function createCertificates({ db, clock, rows }: CertificatesOptions): Certificates {
  const latest = new Map<string, CertificateRecord>();
  const note = (record: CertificateRecord) => {
    if (isLater(record, latest.get(record.node))) latest.set(record.node, record);
  };
  for (const row of rows) note(row);
  return {
    add: async (record) => {
      const { serial, node, key, issued, expires } = record;
      await db.transaction((queries) =>
        queries.all(
          'INSERT INTO certificates (serial, node, key, issued, expires) VALUES (?, ?, ?, ?, ?)',
          serial,
          node,
          key,
          issued,
          expires,
        ),
      );
      note(record);
    },
    latest: (node) => latest.get(node),
    revoke: async (node) => {
      latest.delete(node);
      const rows = await db.transaction((queries) =>
        queries.all(
          'UPDATE certificates SET revoked = ? WHERE node = ? AND revoked IS NULL RETURNING serial',
          moment(clock),
          node,
        ),
      );
      return rows.length;
    },
  };
}
