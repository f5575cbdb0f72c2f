-- The processes that work on tasks. A beat that stands still is how another process knows that one has died; no time of
-- day is written, so no clock can be wrong about it.
CREATE TABLE workers (
    name TEXT    NOT NULL PRIMARY KEY,
    beat INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
