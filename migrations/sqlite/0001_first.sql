-- The first schema. Ids are text, times are milliseconds since 1970 in UTC, money is whole micro-dollars; what only
-- Rust reads (a request, a key's limits) is JSON. STRICT tables refuse a value of another type: among them the
-- floating-point number that SQLite makes of an integer that overflows.

-- Single numbers. `generation` grows with every change of accounts and keys.
CREATE TABLE meta (
    name  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO meta (name, value) VALUES ('generation', 0);

-- `available` and `held` repeat what the transfers say, so that a hold needs one row and not a sum.
CREATE TABLE accounts (
    id                  TEXT    NOT NULL PRIMARY KEY,
    name                TEXT    NOT NULL UNIQUE,
    credit_line         INTEGER CHECK (credit_line >= 0), -- NULL: unlimited
    markup_basis_points INTEGER NOT NULL CHECK (markup_basis_points >= 0),
    frozen              INTEGER NOT NULL CHECK (frozen IN (0, 1)),
    available           INTEGER NOT NULL DEFAULT 0,
    held                INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    created_at          INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id          TEXT    NOT NULL PRIMARY KEY,
    account     TEXT    NOT NULL REFERENCES accounts (id),
    name        TEXT    NOT NULL,
    mode        TEXT    NOT NULL CHECK (mode IN ('live', 'test')),
    last_four   TEXT    NOT NULL,
    limits      TEXT    NOT NULL, -- JSON
    secret_hash BLOB    NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    imported    INTEGER NOT NULL CHECK (imported IN (0, 1)),
    created_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;

CREATE INDEX api_keys_of_account ON api_keys (account, created_at, id);
CREATE INDEX api_keys_newest ON api_keys (created_at, id);
CREATE INDEX api_keys_imported ON api_keys (imported, secret_hash) WHERE imported = 1;

-- What a key has spent and holds in each window of its cap. Keys without a cap have no rows.
CREATE TABLE key_spend (
    key          TEXT    NOT NULL REFERENCES api_keys (id),
    spend_window TEXT    NOT NULL, -- `total`, `2026-11-21` or `2026-11`
    spent        INTEGER NOT NULL CHECK (spent >= 0),
    PRIMARY KEY (key, spend_window)
) STRICT, WITHOUT ROWID;

CREATE TABLE tasks (
    id                 TEXT    NOT NULL PRIMARY KEY,
    account            TEXT    NOT NULL REFERENCES accounts (id),
    key                TEXT    NOT NULL REFERENCES api_keys (id),
    mode               TEXT    NOT NULL CHECK (mode IN ('live', 'test')),
    request            TEXT    NOT NULL, -- JSON
    quote_unit         INTEGER NOT NULL,
    quote_total        INTEGER NOT NULL,
    hold               INTEGER NOT NULL CHECK (hold >= 0),
    lane               TEXT    NOT NULL,
    public_url         TEXT    NOT NULL,
    spend_window       TEXT,             -- where its hold counts as spent
    state              TEXT    NOT NULL CHECK (state IN ('pending', 'processing', 'completed', 'failed')),
    worker             TEXT,             -- who held it last
    fence              INTEGER NOT NULL,
    crashes            INTEGER NOT NULL DEFAULT 0,
    created_at         INTEGER NOT NULL,
    started_at         INTEGER,
    completed_at       INTEGER,
    fail_kind          TEXT,
    fail_message       TEXT,
    captured           INTEGER NOT NULL DEFAULT 0 CHECK (captured BETWEEN 0 AND hold),
    input_text_tokens  INTEGER NOT NULL DEFAULT 0,
    input_image_tokens INTEGER NOT NULL DEFAULT 0,
    output_tokens      INTEGER NOT NULL DEFAULT 0,
    upstream_ms        INTEGER NOT NULL DEFAULT 0,
    CHECK (state <> 'processing' OR worker IS NOT NULL),
    CHECK ((state = 'failed') = (fail_kind IS NOT NULL))
) STRICT;

-- Only tasks that are not finished stand in these, so they stay small however long the history grows.
CREATE INDEX tasks_pending ON tasks (state, lane, created_at, id) WHERE state = 'pending';
CREATE INDEX tasks_pending_of_key ON tasks (state, key) WHERE state = 'pending';
CREATE INDEX tasks_processing ON tasks (state, lane) WHERE state = 'processing';

CREATE TRIGGER tasks_end_once BEFORE UPDATE OF state ON tasks
WHEN OLD.state IN ('completed', 'failed')
BEGIN
    SELECT RAISE(ABORT, 'a task that has ended keeps its state');
END;

-- The blobs that unfinished tasks read: input images and masks. A task that ends takes its rows with it.
CREATE TABLE task_inputs (
    task TEXT NOT NULL REFERENCES tasks (id),
    blob TEXT NOT NULL,
    PRIMARY KEY (task, blob)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_inputs_by_blob ON task_inputs (blob);

CREATE TABLE attempts (
    task           TEXT    NOT NULL REFERENCES tasks (id),
    number         INTEGER NOT NULL,
    first_image    INTEGER NOT NULL,
    images         INTEGER NOT NULL,
    provider       TEXT    NOT NULL,
    upstream_model TEXT    NOT NULL,
    unit_cost      INTEGER NOT NULL,
    state          TEXT    NOT NULL CHECK (state IN ('intent', 'succeeded', 'failed', 'not_sent', 'unknown')),
    upstream_id    TEXT,
    cost           INTEGER NOT NULL DEFAULT 0 CHECK (cost >= 0),
    loss           INTEGER NOT NULL DEFAULT 0 CHECK (loss >= 0),
    fail_kind      TEXT,
    fail_message   TEXT,
    created_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    PRIMARY KEY (task, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE assets (
    id             TEXT    NOT NULL PRIMARY KEY,
    task           TEXT    NOT NULL REFERENCES tasks (id),
    account        TEXT    NOT NULL REFERENCES accounts (id),
    image_index    INTEGER NOT NULL,
    blob           TEXT    NOT NULL,
    bytes          INTEGER NOT NULL,
    hash           TEXT    NOT NULL,
    format         TEXT    NOT NULL,
    width          INTEGER NOT NULL,
    height         INTEGER NOT NULL,
    revised_prompt TEXT,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER, -- NULL: kept
    blob_deleted   INTEGER NOT NULL DEFAULT 0 CHECK (blob_deleted IN (0, 1))
) STRICT;

CREATE INDEX assets_of_task ON assets (task, image_index);
CREATE INDEX assets_by_blob ON assets (blob) WHERE blob_deleted = 0;
CREATE INDEX assets_expiring ON assets (expires_at) WHERE blob_deleted = 0 AND expires_at IS NOT NULL;

-- The ledger: so much from `debit` to `credit`, at most one row of a kind for a subject, and never changed.
CREATE TABLE transfers (
    id      INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL CHECK (kind IN ('top_up', 'hold', 'capture', 'release', 'cost', 'loss')),
    subject TEXT    NOT NULL,
    debit   TEXT    NOT NULL,
    credit  TEXT    NOT NULL CHECK (credit <> debit),
    amount  INTEGER NOT NULL CHECK (amount > 0),
    at      INTEGER NOT NULL,
    UNIQUE (kind, subject)
) STRICT;

CREATE TRIGGER transfers_are_not_changed BEFORE UPDATE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;

CREATE TRIGGER transfers_are_not_deleted BEFORE DELETE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;
