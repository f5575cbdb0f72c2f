-- The queue's order and its limits.

-- Waiting tasks by lane and key, each key's in the order of their coming: a claim reads the first of the keys whose turn
-- it is and nothing else. It takes the place of the index that knew the order of the lane alone.
CREATE INDEX tasks_waiting ON tasks (state, lane, key, created_at, id) WHERE state = 'pending';
DROP INDEX tasks_pending;

-- Those whose time runs out first.
CREATE INDEX tasks_waiting_longest ON tasks (state, created_at) WHERE state = 'pending';

-- How many tasks of the account run at once. NULL: as many as there is room for.
ALTER TABLE accounts ADD COLUMN concurrent INTEGER CHECK (concurrent > 0);

-- A task whose process keeps dying is run with no other such task beside it (`alone`); what dies then is counted.
ALTER TABLE tasks ADD COLUMN alone INTEGER NOT NULL DEFAULT 0 CHECK (alone IN (0, 1));
ALTER TABLE tasks ADD COLUMN lone_crashes INTEGER NOT NULL DEFAULT 0;

-- Those that were given up for it.
CREATE INDEX tasks_poison ON tasks (completed_at, id) WHERE lone_crashes >= 3;
