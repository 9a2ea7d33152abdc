/** Migration 5: schedules: up to when each has been dealt with, and runs by who asked for them. */
export const schedules = `
-- plan is the line that it was by: another one begins anew.
CREATE TABLE scheduled (
  name TEXT PRIMARY KEY,
  plan TEXT NOT NULL,
  upto TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_actor ON runs (actor, seq);
`;
