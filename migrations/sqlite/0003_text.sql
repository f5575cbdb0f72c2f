-- Text models: what tokens cost at the moment of acceptance, and the answer.

ALTER TABLE tasks ADD COLUMN quote_rates TEXT; -- JSON; NULL: priced by the image

-- `content` is deleted when its time is over; the row stays, so that the answer is "gone" and not an empty text.
CREATE TABLE texts (
    task       TEXT    NOT NULL PRIMARY KEY REFERENCES tasks (id),
    content    TEXT,
    finish     TEXT    NOT NULL CHECK (finish IN ('stop', 'length', 'content_filter')),
    expires_at INTEGER -- NULL: kept
) STRICT, WITHOUT ROWID;

CREATE INDEX texts_expiring ON texts (expires_at) WHERE content IS NOT NULL AND expires_at IS NOT NULL;
