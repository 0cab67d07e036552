-- What the server keeps beside the team: settings changed while it runs, and the jobs, which survive a restart.

-- A name that is not here has the default of the program.
CREATE TABLE setting (
    name TEXT PRIMARY KEY CHECK (name <> ''),
    value REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- end_json is '' until the job has ended. A job that was running when the server died counts as queued: attempts
-- says that it had begun.
CREATE TABLE job (
    id TEXT PRIMARY KEY CHECK (length(id) = 16),
    created_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    subject TEXT NOT NULL, -- a member's name; ''
    order_json TEXT NOT NULL,
    end_json TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX job_created ON job (created_ms);

-- A key may have several scopes, as words separated by spaces.
CREATE TABLE access_key_2 (
    id TEXT PRIMARY KEY CHECK (length(id) = 16),
    label TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope <> '' AND trim(replace(replace(replace(replace(' ' || replace(scope, ' ', '  ') ||
        ' ', ' verify ', ''), ' enroll ', ''), ' audit ', ''), ' admin ', '')) = ''),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;
INSERT INTO access_key_2 SELECT id, label, scope, created_ms, expires_ms, revoked_ms, used_ms, hash FROM access_key;
DROP TABLE access_key;
ALTER TABLE access_key_2 RENAME TO access_key;

-- 1 once retention has deleted the picture; the embedding stays.
ALTER TABLE template ADD COLUMN chip_gone INTEGER NOT NULL DEFAULT 0 CHECK (chip_gone IN (0, 1));

CREATE INDEX audit_time ON audit (time_ms);
