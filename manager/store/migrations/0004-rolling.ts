/** Migration 4: rolling runs: which commands one has not done with, so that a restart finds them among all that ever was. */
export const rolling = `
CREATE INDEX commands_turning ON commands (run)
  WHERE record->>'$.turn.phase' IN ('waits', 'drains', 'open', 'settles');
`;
