-- How many images a task brought, so that adding them up reads no assets.
ALTER TABLE tasks ADD COLUMN images INTEGER NOT NULL DEFAULT 0;

UPDATE tasks SET images = (SELECT count(*) FROM assets WHERE assets.task = tasks.id) WHERE state = 'completed';

-- What usage is added up from, in the order of time, without reading a row.
CREATE INDEX tasks_used ON tasks (account, completed_at, model, key, mode, state, images, captured,
    input_text_tokens, input_image_tokens, output_tokens) WHERE completed_at IS NOT NULL;
