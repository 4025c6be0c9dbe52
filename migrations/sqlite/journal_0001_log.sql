-- The journal in one SQLite file. Numbers of 64 bits without a sign are kept as
-- signed ones with the same bits; booleans and times in µs as integers.

-- One row a shard, written at each append.
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    data_set INTEGER NOT NULL,
    shards INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    mark INTEGER NOT NULL,             -- not 0: closed
    checked INTEGER NOT NULL,          -- the run that was found to fit the store
    last_seq INTEGER NOT NULL,
    last_producer INTEGER NOT NULL,    -- the last entry's name
    last_sequence INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    application_change INTEGER NOT NULL,
    bytes INTEGER NOT NULL,            -- of all entries that there ever were
    trimmed_seq INTEGER NOT NULL,      -- up to here nobody needs them any more
    trimmed_bytes INTEGER NOT NULL,
    keys_first INTEGER NOT NULL,       -- those of keys are dense
    keys_next INTEGER NOT NULL
);

-- One row an append. The last one stays when all is trimmed.
CREATE TABLE entries (
    id INTEGER PRIMARY KEY,            -- shard << 55 | seq of its last record
    epoch INTEGER NOT NULL,
    count INTEGER NOT NULL,
    time INTEGER NOT NULL,
    producer INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    before_producer INTEGER NOT NULL,  -- the predecessor's name
    before_sequence INTEGER NOT NULL,
    bytes INTEGER NOT NULL,            -- of all entries before it
    groups BLOB NOT NULL
);

-- What a numbering actor sent last, and what it was told.
CREATE TABLE producers (
    shard INTEGER NOT NULL,
    producer INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    reply BLOB NOT NULL,
    PRIMARY KEY (shard, producer)
) WITHOUT ROWID;

-- Applications, also those deleted.
CREATE TABLE applications (
    id INTEGER PRIMARY KEY,            -- of this file only: the upper half of its chats' ids
    shard INTEGER NOT NULL,
    token TEXT NOT NULL UNIQUE,
    application_id INTEGER NOT NULL,
    state INTEGER NOT NULL,            -- 0 being imported, 1 there, 2 deleted
    last_chat INTEGER NOT NULL,
    change INTEGER NOT NULL,           -- seq: itself or one of its chats
    visible INTEGER NOT NULL,          -- seq of what made it visible
    imported INTEGER NOT NULL          -- the highest chat imported so far
);

-- Chats that are there.
CREATE TABLE chats (
    id INTEGER PRIMARY KEY,            -- applications.id << 32 | number
    last_message INTEGER NOT NULL,
    change INTEGER NOT NULL,           -- seq: anything in it
    imported INTEGER NOT NULL          -- the highest message imported so far
);

-- Values of applications.id whose chats are still to be removed.
CREATE TABLE leftovers (
    application INTEGER PRIMARY KEY
);

-- Idempotency keys. Rows are added at the end and removed at the beginning.
CREATE TABLE keys (
    id INTEGER PRIMARY KEY,            -- shard << 55 | 1, 2, 3...
    key BLOB UNIQUE,                   -- NULL: it was used anew after its time
    request_hash BLOB NOT NULL,
    time INTEGER NOT NULL,
    number INTEGER NOT NULL,           -- what was created: of a chat, of a message, or
    token TEXT NOT NULL                -- an application's
);
