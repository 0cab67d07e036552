-- The first schema. A migration that has been released is never edited: add the next number instead.

-- AUTOINCREMENT: classifier versions and the audit know members by id, so the id of a removed member must never
-- come to mean somebody else.
CREATE TABLE member (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (name <> ''),
    role TEXT NOT NULL CHECK (role <> ''),
    blob_prefix TEXT NOT NULL UNIQUE CHECK (blob_prefix LIKE '%/'),
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    last_seen_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE member_right (
    member_id INTEGER NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    name TEXT NOT NULL CHECK (name <> ''),
    PRIMARY KEY (member_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE source (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('video', 'photo')),
    blob_key TEXT UNIQUE,
    sha256 TEXT NOT NULL,
    every INTEGER NOT NULL,
    rotation INTEGER NOT NULL,
    frames_sampled INTEGER NOT NULL,
    faces_used INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX source_member ON source (member_id);

-- The embedders whose templates there are, by hash.
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE CHECK (hash <> '')
) STRICT;

CREATE TABLE template (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES member (id) ON DELETE CASCADE,
    source_id INTEGER NOT NULL REFERENCES source (id) ON DELETE CASCADE,
    frame_index INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    model_id INTEGER NOT NULL REFERENCES model (id),
    embedding_size INTEGER NOT NULL CHECK (embedding_size > 0),
    embedding BLOB NOT NULL CHECK (length(embedding) = 4 * embedding_size), -- float32, little-endian
    chip_key TEXT NOT NULL UNIQUE,
    score REAL NOT NULL,
    sharpness REAL NOT NULL
) STRICT;
CREATE INDEX template_order ON template (model_id, member_id, source_id, frame_index);
CREATE INDEX template_member ON template (member_id, model_id);
CREATE INDEX template_source ON template (source_id);

-- data is NULL once a member that the version knows has been removed: a classifier contains templates.
CREATE TABLE version (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    created_ms INTEGER NOT NULL,
    model_hash TEXT NOT NULL,
    data_hash TEXT NOT NULL,
    settings_json TEXT NOT NULL,
    report_json TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 0 CHECK (active IN (0, 1)),
    data BLOB,
    CHECK (active = 0 OR data IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX version_active ON version (active) WHERE active = 1;

-- No reference to member: it outlives the member, so that the version stays known as one that cannot be used.
CREATE TABLE version_member (
    version INTEGER NOT NULL REFERENCES version (version) ON DELETE CASCADE,
    member_id INTEGER NOT NULL,
    PRIMARY KEY (version, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX version_member_member ON version_member (member_id);

CREATE TABLE access_key (
    id TEXT PRIMARY KEY CHECK (length(id) = 16),
    label TEXT NOT NULL,
    scope TEXT NOT NULL CHECK (scope IN ('verify', 'enroll', 'audit', 'admin')),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    revoked_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time_ms INTEGER NOT NULL,
    actor TEXT NOT NULL,
    source TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    decision TEXT NOT NULL,
    reasons TEXT NOT NULL,
    probability REAL,
    member_id INTEGER -- no reference: see member_remove, which takes the name out of these rows
) STRICT;
CREATE INDEX audit_member ON audit (member_id) WHERE member_id IS NOT NULL;

-- Prefixes whose blobs no row names yet (an enrolment) or any longer (a removal), and the process at it.
CREATE TABLE pending (
    blob_prefix TEXT PRIMARY KEY CHECK (blob_prefix LIKE '%/'),
    host TEXT NOT NULL,  -- boot and process namespace that pid and start belong to
    pid INTEGER NOT NULL,
    start INTEGER NOT NULL, -- of the process, in clock ticks since boot
    created_ms INTEGER NOT NULL,
    cancelled INTEGER NOT NULL DEFAULT 0 CHECK (cancelled IN (0, 1)) -- its member was removed meanwhile
) STRICT, WITHOUT ROWID;
