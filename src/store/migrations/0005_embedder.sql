-- The embedder that the team's templates are made with: commands and the server use it unless told otherwise.
CREATE TABLE embedder (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL CHECK (name <> ''), -- in the manifest
    model_hash TEXT NOT NULL CHECK (model_hash <> '')
) STRICT;

-- A switch to another embedder that is under way: the new embeddings beside the old ones, until there are all.
CREATE TABLE reembedding (
    template_id INTEGER NOT NULL REFERENCES template (id) ON DELETE CASCADE,
    model_id INTEGER NOT NULL REFERENCES model (id),
    embedding_size INTEGER NOT NULL CHECK (embedding_size > 0),
    embedding BLOB CHECK (length(embedding) = 4 * embedding_size), -- NULL: given up, there is no picture
    PRIMARY KEY (template_id, model_id)
) STRICT, WITHOUT ROWID;
