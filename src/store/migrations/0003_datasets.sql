-- Templates that come from an imported dataset: their source is no video and no photo, and they have no chip.
-- SQLite cannot change a column's constraints, so both tables are made anew, with what refers to them last.
CREATE TABLE source_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('video', 'photo', 'dataset')),
    blob_key TEXT UNIQUE,
    sha256 TEXT NOT NULL,
    every INTEGER NOT NULL,
    rotation INTEGER NOT NULL,
    frames_sampled INTEGER NOT NULL,
    faces_used INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE template_new (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    source_id INTEGER NOT NULL REFERENCES source_new (id) ON DELETE CASCADE,
    frame_index INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    model_id INTEGER NOT NULL REFERENCES model (id),
    embedding_size INTEGER NOT NULL CHECK (embedding_size > 0),
    embedding BLOB NOT NULL CHECK (length(embedding) = 4 * embedding_size), -- float32, little-endian
    chip_key TEXT UNIQUE, -- NULL: imported, without a picture
    score REAL NOT NULL,
    sharpness REAL NOT NULL,
    chip_gone INTEGER NOT NULL DEFAULT 0 CHECK (chip_gone IN (0, 1)) -- 1 once retention has deleted the picture
) STRICT;

-- Numbers once given are never given again, also those of rows that are gone.
INSERT INTO sqlite_sequence (name, seq)
SELECT name || '_new', seq FROM sqlite_sequence WHERE name IN ('source', 'template');

INSERT INTO source_new (id, member_id, name, kind, blob_key, sha256, every, rotation, frames_sampled, faces_used, created_ms)
SELECT id, member_id, name, kind, blob_key, sha256, every, rotation, frames_sampled, faces_used, created_ms FROM source;
INSERT INTO template_new (id, member_id, source_id, frame_index, time_ms, model_id, embedding_size, embedding, chip_key, score, sharpness, chip_gone)
SELECT id, member_id, source_id, frame_index, time_ms, model_id, embedding_size, embedding, chip_key, score, sharpness, chip_gone FROM template;

DROP TABLE template;
DROP TABLE source;
ALTER TABLE source_new RENAME TO source;
ALTER TABLE template_new RENAME TO template;
CREATE INDEX source_member ON source (member_id);
CREATE INDEX template_order ON template (model_id, member_id, source_id, frame_index);
CREATE INDEX template_member ON template (member_id, model_id);
CREATE INDEX template_source ON template (source_id);
