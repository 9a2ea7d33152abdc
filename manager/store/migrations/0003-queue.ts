/** Migration 3: the queue: runs, their commands in the order of each node, every try, and queues that are paused. */
export const queue = `
-- spec is the action as it was when the run was made; its digest is what nodes look for.
CREATE TABLE runs (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  id       TEXT NOT NULL UNIQUE,
  action   TEXT NOT NULL,
  digest   TEXT NOT NULL,
  spec     TEXT NOT NULL,
  "values" TEXT NOT NULL,
  actor    TEXT NOT NULL,
  at       TEXT NOT NULL,
  selector TEXT NOT NULL,
  options  TEXT NOT NULL
) STRICT;

-- record is the whole command as it stands; state and changed are in it as well, for those who look for them.
CREATE TABLE commands (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  run     TEXT NOT NULL,
  node    TEXT NOT NULL,
  state   TEXT NOT NULL,
  changed TEXT NOT NULL,
  record  TEXT NOT NULL,
  UNIQUE (run, node)
) STRICT;
CREATE INDEX commands_by_node ON commands (node, seq);
CREATE INDEX commands_open ON commands (seq) WHERE state IN ('waiting', 'running', 'failed', 'unknown');
CREATE INDEX commands_open_by_run ON commands (run) WHERE state IN ('waiting', 'running', 'failed', 'unknown');

-- bytes are those of output, and at is when it came: the oldest of what was said goes first.
CREATE TABLE tries (
  run    TEXT NOT NULL,
  node   TEXT NOT NULL,
  number INTEGER NOT NULL,
  result TEXT NOT NULL,
  output TEXT NOT NULL,
  at     TEXT NOT NULL,
  bytes  INTEGER NOT NULL,
  PRIMARY KEY (run, node, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX tries_said ON tries (at, bytes) WHERE bytes > 0;

CREATE TABLE paused (
  node   TEXT PRIMARY KEY,
  reason TEXT NOT NULL,
  owner  TEXT NOT NULL,
  since  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;
