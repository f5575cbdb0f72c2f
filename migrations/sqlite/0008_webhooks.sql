-- Webhooks: where the end of a task is to be reported, what was sent, and the secrets that sign it.

ALTER TABLE tasks ADD COLUMN callback TEXT; -- JSON; NULL: nobody asked to be called

-- One row for each end that is to be reported, written in the transaction that ends the task. Its id is the same in every
-- attempt. `due_at` is when somebody may take it: when the next attempt begins or, while `worker` sends it, when that
-- worker counts as dead.
CREATE TABLE deliveries (
    id          TEXT    NOT NULL PRIMARY KEY,
    task        TEXT    NOT NULL UNIQUE REFERENCES tasks (id),
    account     TEXT    NOT NULL REFERENCES accounts (id),
    url         TEXT    NOT NULL,
    destination TEXT    NOT NULL, -- scheme, host and port: what receives, or is down, as a whole
    state       TEXT    NOT NULL CHECK (state IN ('pending', 'delivered', 'exhausted', 'gone')),
    attempts    INTEGER NOT NULL DEFAULT 0, -- all that were begun, counted before anything is sent
    tries       INTEGER NOT NULL DEFAULT 0, -- those that failed since it was first due, or sent again by hand
    due_at      INTEGER,
    worker      TEXT,
    fence       INTEGER NOT NULL DEFAULT 0,
    sent_at     INTEGER,                    -- when the attempt began that `worker` makes
    ends_at     INTEGER NOT NULL,           -- no attempt begins later, but for one that was missed
    created_at  INTEGER NOT NULL,
    ended_at    INTEGER,
    CHECK ((state = 'pending') = (due_at IS NOT NULL)),
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    CHECK ((worker IS NULL) = (sent_at IS NULL))
) STRICT;

-- What is to be sent, each destination's in the order in which it is due. Delivered rows are not in it.
CREATE INDEX deliveries_due ON deliveries (state, destination, due_at, id) WHERE state = 'pending';
CREATE INDEX deliveries_closing ON deliveries (state, ends_at) WHERE state = 'pending';
CREATE INDEX deliveries_held ON deliveries (worker) WHERE worker IS NOT NULL;
CREATE INDEX deliveries_given_up ON deliveries (state, ended_at, id) WHERE state = 'exhausted';

-- What became of each attempt, and the first KiB of the answer.
CREATE TABLE delivery_attempts (
    delivery   TEXT    NOT NULL REFERENCES deliveries (id),
    number     INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER NOT NULL,
    status     INTEGER, -- NULL: there was no answer
    problem    TEXT,    -- why there was none, in our words
    answer     TEXT    NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- What an account's deliveries are signed with. One that was replaced signs on beside its successor until it retires.
CREATE TABLE signing_secrets (
    account    TEXT    NOT NULL REFERENCES accounts (id),
    secret     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    retires_at INTEGER,
    PRIMARY KEY (account, created_at, secret)
) STRICT, WITHOUT ROWID;

-- At most one signs without an end.
CREATE UNIQUE INDEX signing_secrets_current ON signing_secrets (account) WHERE retires_at IS NULL;
