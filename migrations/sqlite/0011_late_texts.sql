-- A text that came when its task was over: the account's, and charged to nobody, as a late image is.
ALTER TABLE texts ADD COLUMN late INTEGER NOT NULL DEFAULT 0 CHECK (late IN (0, 1));
