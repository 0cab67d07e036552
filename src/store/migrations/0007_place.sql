-- Where the team's pictures are, so that what is deleted is deleted there: see fg_store_place in store.h.
CREATE TABLE place (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    place TEXT NOT NULL CHECK (place <> '')
) STRICT;
