/** API tokens: random secrets of which only a hash is kept, in memory as well, since every request asks. */
import { randomBytes } from 'node:crypto';
import { type Clock, moment } from '../../common/clock.ts';
import { sha256 } from '../../common/digest.ts';
import { EvenkeelError } from '../../protocol/errors.ts';
import type { Db } from './db.ts';
import type { Token, Tokens } from './store.ts';

export interface TokenRow extends Token {
  hash: string;
}

export const readTokens = (db: Db): Promise<TokenRow[]> =>
  db.read.all('SELECT name, hash, role, created FROM tokens ORDER BY name');

export function createTokens({ db, clock, rows }: { db: Db; clock: Clock; rows: TokenRow[] }): Tokens {
  const byHash = new Map(rows.map(({ hash, ...token }) => [hash, token]));
  const hashOf = (name: string) => [...byHash].find(([, token]) => token.name === name)?.[0];
  return {
    create: async ({ name, role }) => {
      const secret = `ek_${randomBytes(32).toString('base64url')}`;
      const [hash, token] = [sha256(secret), { name, role, created: moment(clock) }];
      await db.transaction(async (queries) => {
        if (hashOf(name)) throw new EvenkeelError('already-exists', `there is a token ${name} already`);
        await queries.all(
          'INSERT INTO tokens (name, hash, role, created) VALUES (?, ?, ?, ?)',
          name,
          hash,
          role,
          token.created,
        );
      });
      byHash.set(hash, token);
      return secret;
    },
    // By its hash, so that the time it takes says nothing about a secret.
    find: (secret) => byHash.get(sha256(secret)),
    stands: (token) => [...byHash.values()].some((known) => known === token),
    list: () => [...byHash.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    revoke: async (name) => {
      const hash = hashOf(name);
      if (hash === undefined) return false;
      // First where it is kept: where that fails it is there still, and can be revoked again.
      await db.transaction((queries) => queries.all('DELETE FROM tokens WHERE hash = ?', hash));
      byHash.delete(hash);
      return true;
    },
  };
}
