/** Site: one website, served by every node of the roles whose policies take sites. */
import { type Static, Type } from 'typebox';
import {
  AbsolutePath,
  Domain,
  DomainOrWildcard,
  OneOf,
  Size,
  Strict,
  UrlOrPath,
  UrlPath,
} from '../values.ts';

export const SiteName = Domain;

export const SiteSpec = Strict({
  aliases: Type.Array(DomainOrWildcard, {
    default: [],
    maxItems: 1000,
    uniqueItems: true,
    description: 'Further names of the site',
  }),
  root: Type.Union([AbsolutePath], { description: 'The document root, on shared storage' }),
  php: Type.Optional(
    Strict(
      { socket: Type.Union([AbsolutePath], { description: 'The PHP-FPM socket' }) },
      { description: 'Files that end in .php are answered by PHP-FPM' },
    ),
  ),
  redirects: Type.Array(
    Strict({
      from: UrlPath,
      to: UrlOrPath,
      code: Type.Union([Type.Literal(301), Type.Literal(302), Type.Literal(307), Type.Literal(308)], {
        default: 301,
      }),
    }),
    { default: [], maxItems: 1000, description: 'Paths that lead elsewhere' },
  ),
  tls: Type.Optional(
    Strict(
      { certificate: AbsolutePath, key: AbsolutePath },
      { description: 'HTTPS as well; both files lie on every node that serves the site' },
    ),
  ),
  accessLog: OneOf(['shared', 'own', 'off'], {
    default: 'shared',
    description: 'One log for all sites, one of its own, or none',
  }),
  maxBody: Type.Unsafe<string>({
    ...Size,
    default: '32m',
    description: 'The largest request body that is accepted',
  }),
  defaultServer: Type.Boolean({
    default: false,
    description: 'Answers for names that no site has; without one, such requests get 421',
  }),
});
export type SiteSpec = Static<typeof SiteSpec>;
