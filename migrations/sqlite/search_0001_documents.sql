-- The search index in one SQLite file. Numbers of 64 bits without a sign are
-- kept as signed ones with the same bits.

-- Gives each chat a number of at most 31 bits, half of its documents' ids.
CREATE TABLE chats (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 2147483647),
    application_id INTEGER NOT NULL,
    number INTEGER NOT NULL,
    UNIQUE (application_id, number)
);

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,            -- chats.id << 32 | number of the message
    seq INTEGER NOT NULL,              -- of the row's last change
    body TEXT NOT NULL                 -- folded
);

-- What is indexed. `scope` is three characters that only this chat has, hence
-- one trigram: with it in a query, FTS5 begins at the chat, and not at the first
-- message anywhere that holds all the others. They are of a private plane.
CREATE VIEW searchable (id, scope, body) AS
    SELECT id,
        char(983040 + (id >> 54 & 2047), 983040 + (id >> 43 & 2047), 983040 + (id >> 32 & 2047)),
        body
    FROM documents;

-- Measured against detail = full with phrases: three quarters of the CPU, three
-- fifths of the size, and queries several times faster. Which documents hold the
-- trigrams, but in another order, is found out by looking at their bodies.
CREATE VIRTUAL TABLE trigrams USING fts5 (
    scope, body,
    content = 'searchable', content_rowid = 'id',
    tokenize = 'trigram case_sensitive 1', detail = none, columnsize = 0
);

-- Bytes of new trigrams kept in memory before they become a segment on disk;
-- enough for a transaction of 10,000 messages.
INSERT INTO trigrams (trigrams, rank) VALUES ('hashsize', 4194304);

-- Within a page FTS5 goes from document to document, between pages it leaps: half
-- of the usual size finds a chat in the middle in half of the time, and costs 5 %
-- at insertion.
INSERT INTO trigrams (trigrams, rank) VALUES ('pgsz', 2000);

-- How far each shard is indexed. No row: not complete.
CREATE TABLE positions (
    shard INTEGER PRIMARY KEY,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    producer INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    run INTEGER NOT NULL
);
