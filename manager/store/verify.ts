/** Verification: whether the store adds up, from the first entry to the sums of the scopes. Reads in pages, from one moment. */
import { sha256 } from '../../common/digest.ts';
import { messageOf } from '../../protocol/errors.ts';
import type { JournalEntry } from '../../protocol/views.ts';
import { genesis, linkOf } from './chain.ts';
import type { Db, Queries } from './db.ts';
import { readJournal } from './journal.ts';
import type { Verification } from './store.ts';
import { scopeProblems } from './sums.ts';

type Reads = Pick<Queries, 'all' | 'get'>;

/** What has been found so far; only the first hundred are kept. */
interface Findings {
  problems: string[];
  entries: number;
  bodies: number;
  scopes: number;
}

const MOST_PROBLEMS = 100;
const PAGE = 1000;

export const verify = (db: Db): Promise<Verification> =>
  db.snapshot(async (queries) => {
    const findings: Findings = { problems: [], entries: 0, bodies: 0, scopes: 0 };
    for (const part of [verifyFile, verifyChain, verifyResources, verifyFold, verifyScopes]) {
      if (findings.problems.length >= MOST_PROBLEMS) break;
      // What cannot be read is a finding like any other: the rest is still looked at.
      await part(queries, findings).catch((err: unknown) => findings.problems.push(messageOf(err)));
    }
    const problems = findings.problems.slice(0, MOST_PROBLEMS);
    return { ...findings, ok: problems.length === 0, problems };
  });

async function verifyFile(queries: Reads, { problems }: Findings): Promise<void> {
  const rows = await queries.all<{ quick_check: string }>('PRAGMA quick_check(20)');
  problems.push(...rows.map(({ quick_check }) => quick_check).filter((found) => found !== 'ok'));
}

async function verifyChain(queries: Reads, findings: Findings): Promise<void> {
  let link = genesis(await clusterOf(queries));
  for (let since = 0; ; ) {
    const page = await readJournal(queries, { since, limit: PAGE });
    for (const entry of page) {
      findings.problems.push(...entryProblems(entry, { link, since }));
      [link, since] = [entry.chain, entry.rev];
      findings.entries += 1;
      findings.bodies += entry.body === null ? 0 : 1;
    }
    if (page.length < PAGE || findings.problems.length >= MOST_PROBLEMS) return;
  }
}

async function clusterOf(queries: Reads): Promise<string> {
  const row = await queries.get<{ value: string }>(`SELECT value FROM meta WHERE key = 'cluster'`);
  return row?.value ?? '';
}

/** @param before the link and the revision of the entry before */
export function entryProblems(entry: JournalEntry, before: { link: string; since: number }): string[] {
  const name = `journal entry ${entry.rev}`;
  const problems: string[] = [];
  if (entry.rev !== before.since + 1) problems.push(`${name}: the entry before it is ${before.since}`);
  if (entry.chain !== linkOf(before.link, entry))
    problems.push(`${name}: its header does not fit the hash chain`);
  if (entry.body !== null && sha256(entry.body) !== entry.digest)
    problems.push(`${name}: its body does not fit its digest`);
  return problems;
}

async function verifyResources(queries: Reads, { problems }: Findings): Promise<void> {
  for (let after = 0; problems.length < MOST_PROBLEMS; ) {
    const rows = await queries.all<{ id: number; kind: string; name: string; digest: string; body: string }>(
      'SELECT rowid AS id, kind, name, digest, body FROM resources WHERE rowid > ? ORDER BY rowid LIMIT ?',
      after,
      PAGE,
    );
    for (const { kind, name, digest, body } of rows)
      if (sha256(body) !== digest) problems.push(`${kind}/${name}: its body does not fit its digest`);
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last.id;
  }
}

/** The resources must be what the journal's last entry of each says. SQLite compares them, in a thread of its own. */
const fold = `
  WITH last AS (
    SELECT kind, name, op, digest, max(rev) AS rev FROM journal WHERE op <> 'epoch' GROUP BY kind, name
  )
  SELECT kind, name FROM last WHERE op = 'put' AND NOT EXISTS (
    SELECT 1 FROM resources r
    WHERE r.kind = last.kind AND r.name = last.name AND r.rev = last.rev AND r.digest = last.digest)
  UNION ALL
  SELECT kind, name FROM resources r WHERE NOT EXISTS (
    SELECT 1 FROM last WHERE last.kind = r.kind AND last.name = r.name AND last.op = 'put')
  LIMIT ${MOST_PROBLEMS}`;

async function verifyFold(queries: Reads, { problems }: Findings): Promise<void> {
  const rows = await queries.all<{ kind: string; name: string }>(fold);
  problems.push(...rows.map(({ kind, name }) => `${kind}/${name}: is not what the journal says of it last`));
}

async function verifyScopes(queries: Reads, findings: Findings): Promise<void> {
  const { scopes, problems } = await scopeProblems(queries);
  findings.scopes = scopes;
  findings.problems.push(...problems);
}
