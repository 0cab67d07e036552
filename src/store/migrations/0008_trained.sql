-- An endpoint elsewhere answers with names: see fg_store_endpoint_names in store.h. Members from before this keep their names.
ALTER TABLE member ADD COLUMN named_ms INTEGER NOT NULL DEFAULT 0; -- when this member came to bear this name

-- How old the names are that a training job, an endpoint configuration and an endpoint know. Nobody's name is here.
CREATE TABLE trained (
    what TEXT NOT NULL CHECK (what IN ('job', 'config', 'endpoint')),
    name TEXT NOT NULL CHECK (name <> ''),
    names_ms INTEGER NOT NULL,
    PRIMARY KEY (what, name)
) STRICT, WITHOUT ROWID;
