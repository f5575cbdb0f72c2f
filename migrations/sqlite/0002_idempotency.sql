-- A client's Idempotency-Key and the task it stands for. Kept for a day, per account and mode.
CREATE TABLE idempotency_keys (
    account     TEXT    NOT NULL REFERENCES accounts (id),
    mode        TEXT    NOT NULL CHECK (mode IN ('live', 'test')),
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    task        TEXT    NOT NULL REFERENCES tasks (id),
    expires_at  INTEGER NOT NULL,
    PRIMARY KEY (account, mode, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at);
