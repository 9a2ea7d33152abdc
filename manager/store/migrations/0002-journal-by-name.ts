/** Migration 2: the entries of one resource are found without reading the whole journal. */
export const journalByName = 'CREATE INDEX journal_by_name ON journal (kind, name, rev)';
