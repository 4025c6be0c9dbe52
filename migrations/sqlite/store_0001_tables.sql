-- The store. Numbers of 64 bits are kept as their signed bit pattern, times in
-- microseconds since 1970 UTC. Checks refuse what MySQL's types would refuse.

CREATE TABLE data_sets (
    id INTEGER PRIMARY KEY CHECK (id = 1),   -- one row
    data_set INTEGER NOT NULL,
    shards INTEGER NOT NULL
) STRICT;

-- A deleted application's row stays for ever: its token may be a page's cursor.
CREATE TABLE applications (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE CHECK (length(token) BETWEEN 1 AND 64),
    name TEXT NOT NULL CHECK (length(name) <= 255),
    chats_count INTEGER NOT NULL DEFAULT 0,
    last_chat_number INTEGER NOT NULL DEFAULT 0,
    chats_deleted INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER,                         -- when, or NULL
    importing INTEGER NOT NULL DEFAULT 0,
    visible INTEGER NOT NULL DEFAULT 1       -- neither deleted nor importing
) STRICT;

CREATE INDEX applications_listed ON applications (visible, created, token);

CREATE TABLE chats (
    application_id INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    name TEXT NOT NULL CHECK (length(name) <= 255),
    messages_count INTEGER NOT NULL DEFAULT 0,
    last_message_number INTEGER NOT NULL DEFAULT 0,
    messages_deleted INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    deleted INTEGER,
    PRIMARY KEY (application_id, number)
) STRICT, WITHOUT ROWID;

-- seq: of the row's last change.
CREATE TABLE messages (
    application_id INTEGER NOT NULL,
    chat_number INTEGER NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    seq INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    body TEXT NOT NULL CHECK (length(CAST(body AS BLOB)) BETWEEN 1 AND 65535),
    PRIMARY KEY (application_id, chat_number, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE positions (
    follower TEXT NOT NULL,
    shard INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    name_producer INTEGER NOT NULL,
    name_sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    run INTEGER NOT NULL,
    PRIMARY KEY (follower, shard)
) STRICT, WITHOUT ROWID;

-- Who of several processes follows which shard. Not in positions: a renewal must
-- not wait for the batch that moves a position, nor the batch for it.
CREATE TABLE leases (
    follower TEXT NOT NULL,
    shard INTEGER NOT NULL,
    owner INTEGER NOT NULL,                  -- or 0: nobody
    lease_until INTEGER NOT NULL,
    PRIMARY KEY (follower, shard)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease_members (
    follower TEXT NOT NULL,
    owner INTEGER NOT NULL,
    alive_until INTEGER NOT NULL,
    PRIMARY KEY (follower, owner)
) STRICT, WITHOUT ROWID;

-- What was deleted and is not cleaned up by both; chat 0: the application.
CREATE TABLE purges (
    application_id INTEGER NOT NULL,
    chat INTEGER NOT NULL,
    seq INTEGER NOT NULL,                    -- of the deletion
    store_done INTEGER NOT NULL DEFAULT 0,
    indexing_done INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (application_id, chat)
) STRICT, WITHOUT ROWID;

CREATE INDEX purges_of_store ON purges (store_done, seq);
CREATE INDEX purges_of_indexing ON purges (indexing_done, seq);

-- Records that were refused, and those that joined them. A root is a refused
-- creation; its key (chat, target) is (0, 0) for an application, (chat, 0) for a
-- chat. A dropped root stays, so that what comes later for it is dropped too.
CREATE TABLE dead_records (
    shard INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    type INTEGER NOT NULL,
    application_id INTEGER NOT NULL,
    token TEXT NOT NULL,
    chat INTEGER NOT NULL,
    number INTEGER NOT NULL,
    target INTEGER NOT NULL,                 -- the message, or 0
    time INTEGER NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    text BLOB NOT NULL,
    reason TEXT NOT NULL,
    root INTEGER NOT NULL,
    joined INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (shard, seq)
) STRICT, WITHOUT ROWID;

CREATE INDEX dead_records_roots ON dead_records (root, application_id, chat, target);
