-- What became known of a call whose outcome nobody knew: what the operator found out, or an image that came after all.
-- `billed` is what the upstream took for it in the end; the ledger's `loss`, `loss_added` and `loss_returned` come to that.
ALTER TABLE attempts ADD COLUMN resolution TEXT CHECK (resolution IN ('billed', 'not_billed', 'delivered'));
ALTER TABLE attempts ADD COLUMN billed INTEGER CHECK (billed >= 0);
ALTER TABLE attempts ADD COLUMN resolved_at INTEGER;
ALTER TABLE attempts ADD COLUMN resolution_note TEXT;

-- An image that came when its task was over: the account's, and charged to nobody.
ALTER TABLE assets ADD COLUMN late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1));

-- Two more sorts of transfer. SQLite cannot change a CHECK, so the table is made anew and the rows are carried over as they are.
CREATE TABLE new_transfers (
    id      INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL CHECK (kind IN ('top_up', 'hold', 'capture', 'release', 'cost', 'loss', 'loss_added',
                                             'loss_returned')),
    subject TEXT    NOT NULL,
    debit   TEXT    NOT NULL,
    credit  TEXT    NOT NULL CHECK (credit <> debit),
    amount  INTEGER NOT NULL CHECK (amount > 0),
    at      INTEGER NOT NULL,
    UNIQUE (kind, subject)
) STRICT;

INSERT INTO new_transfers SELECT id, kind, subject, debit, credit, amount, at FROM transfers ORDER BY id;
DROP TABLE transfers;
ALTER TABLE new_transfers RENAME TO transfers;

CREATE TRIGGER transfers_are_not_changed BEFORE UPDATE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;

CREATE TRIGGER transfers_are_not_deleted BEFORE DELETE ON transfers
BEGIN
    SELECT RAISE(ABORT, 'transfers are append-only');
END;
