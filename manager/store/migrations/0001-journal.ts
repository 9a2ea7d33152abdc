/** Migration 1: the journal and everything that is derived from it; events, and who may come in. */
export const journal = `
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The truth. Headers are kept for ever; bodies are pruned, and then the digest still stands for them.
CREATE TABLE journal (
  rev    INTEGER PRIMARY KEY,
  epoch  INTEGER NOT NULL,
  at     TEXT NOT NULL,
  actor  TEXT NOT NULL,
  kind   TEXT NOT NULL,
  name   TEXT NOT NULL,
  op     TEXT NOT NULL CHECK (op IN ('put', 'delete', 'epoch')),
  digest TEXT NOT NULL,
  chain  TEXT NOT NULL,
  body   TEXT
) STRICT;

-- The last state of each resource; body is the canonical spec, and digest its SHA-256.
CREATE TABLE resources (
  kind   TEXT NOT NULL,
  name   TEXT NOT NULL,
  rev    INTEGER NOT NULL,
  digest TEXT NOT NULL,
  body   TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT;

-- What each scope has, and what left it: the last change of each resource in it. Old deletions are forgotten.
CREATE TABLE scope_log (
  scope TEXT NOT NULL,
  kind  TEXT NOT NULL,
  name  TEXT NOT NULL,
  rev   INTEGER NOT NULL,
  op    TEXT NOT NULL CHECK (op IN ('put', 'delete')),
  PRIMARY KEY (scope, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX scope_log_by_rev ON scope_log (scope, rev);
CREATE INDEX scope_log_deletions ON scope_log (scope, rev) WHERE op = 'delete';

-- floor: deletions up to this revision are forgotten.
CREATE TABLE scopes (
  scope        TEXT PRIMARY KEY,
  epoch        INTEGER NOT NULL,
  rev          INTEGER NOT NULL,
  since        INTEGER NOT NULL,
  count        INTEGER NOT NULL,
  digest       TEXT NOT NULL,
  floor        INTEGER NOT NULL,
  shrink_epoch INTEGER,
  shrink_rev   INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  at       TEXT NOT NULL,
  type     TEXT NOT NULL,
  severity TEXT NOT NULL,
  node     TEXT,
  subject  TEXT NOT NULL,
  message  TEXT NOT NULL,
  data     TEXT
) STRICT;

CREATE TABLE tokens (
  name    TEXT PRIMARY KEY,
  hash    TEXT NOT NULL UNIQUE,
  role    TEXT NOT NULL,
  created TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE invites (
  id      TEXT PRIMARY KEY,
  hash    TEXT NOT NULL,
  expires TEXT NOT NULL,
  used    INTEGER NOT NULL DEFAULT 0,
  record  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE certificates (
  serial  TEXT PRIMARY KEY,
  node    TEXT NOT NULL,
  key     TEXT NOT NULL,
  issued  TEXT NOT NULL,
  expires TEXT NOT NULL,
  revoked TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX certificates_by_node ON certificates (node);
`;
