-- Uploaded input images. A row is the account's right to use the blob; a task that was accepted with it has rows of its
-- own in `task_inputs`. Expired and deleted files have no row.
CREATE TABLE files (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES accounts (id),
    name       TEXT    NOT NULL,
    purpose    TEXT    NOT NULL,
    blob       TEXT    NOT NULL,
    bytes      INTEGER NOT NULL CHECK (bytes >= 0),
    hash       TEXT    NOT NULL,
    format     TEXT    NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX files_of_account ON files (account, id);
-- For the bounds of an account, without touching the rows.
CREATE INDEX files_living ON files (account, expires_at, bytes);
CREATE INDEX files_by_blob ON files (blob);
CREATE INDEX files_expiring ON files (expires_at);

-- A hash of what was asked, for tasks whose clients wait and may send the same call again without a name for it.
ALTER TABLE tasks ADD COLUMN asked BLOB CHECK (length(asked) = 32);
