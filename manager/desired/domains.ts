/** Domains: no name or alias is served by two sites, and at most one site is the default server. Pure. */
import { keyOfEdit, type Proposal } from '../../common/rules.ts';
import { claimsOf, DEFAULT_SERVER } from '../../common/view.ts';
import type { Problem } from '../../protocol/errors.ts';
import { type Put, placeIn, type Touched } from './place.ts';

interface Claim {
  claim: string;
  /** The field that makes it. */
  field: string;
  put: Put<'Site'>;
}

export function domainProblems({ before, edits }: Proposal, touched: Touched): Problem[] {
  if (!touched.any('Site')) return [];
  const rewritten = new Set(
    edits
      .map(keyOfEdit)
      .filter(({ kind }) => kind === 'Site')
      .map(({ name }) => name),
  );
  const claimed = new Map<string, Claim>();
  return touched.puts('Site').flatMap((put) =>
    claims(put).flatMap((claim): Problem[] => {
      const owner = before.domains.get(claim.claim);
      if (owner !== undefined && !rewritten.has(owner)) return [duplicate(claim, `by the site ${owner}`)];
      const first = claimed.get(claim.claim);
      if (first)
        return [duplicate(claim, `at ${placeIn(first.put.edit, first.field) || first.put.resource.name}`)];
      claimed.set(claim.claim, claim);
      return [];
    }),
  );
}

function claims(put: Put<'Site'>): Claim[] {
  const { name, spec } = put.resource;
  const { aliases, defaultServer } = spec;
  const fieldOf = (at: number) => (at === 0 ? 'name' : `spec/aliases/${at - 1}`);
  return claimsOf({ kind: 'Site', name, aliases, defaultServer }).map((claim, at) => ({
    claim,
    field: claim === DEFAULT_SERVER ? 'spec/defaultServer' : fieldOf(at),
    put,
  }));
}

function duplicate({ claim, field, put }: Claim, owner: string): Problem {
  const isDefault = claim === DEFAULT_SERVER;
  return {
    code: 'duplicate-domain',
    path: placeIn(put.edit, field),
    value: isDefault ? 'true' : claim,
    message: isDefault
      ? `the default server is claimed ${owner} already`
      : `${claim} is claimed ${owner} already`,
    fix: isDefault
      ? 'only one site may be the default server'
      : 'remove it here, or from the other site in the same request',
  };
}
