-- An account's history, newest first. What it may be filtered by stands in the index beside its place, so that a row
-- that is not wanted is passed over without being read.
ALTER TABLE tasks ADD COLUMN model TEXT NOT NULL DEFAULT '';

UPDATE tasks SET model = coalesce(request ->> '$.model', '');

CREATE INDEX tasks_of_account ON tasks (account, created_at, id, state, model, key);

-- Calls that the operator may have paid for nothing: few, and looked for among all.
CREATE INDEX attempts_lost ON attempts (ended_at, task, number) WHERE state = 'unknown' OR loss > 0;
