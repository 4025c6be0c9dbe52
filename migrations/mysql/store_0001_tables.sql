-- The store, on MySQL 8 and MariaDB. Numbers of 64 bits are kept as their signed bit
-- pattern, times in microseconds since 1970 UTC. What is looked up by is VARBINARY, so
-- that case and blanks at the end tell. Each CREATE commits at once: IF NOT EXISTS, and
-- indexes within, so that a migration that was cut off can be run again.

CREATE TABLE IF NOT EXISTS data_sets (
    id INT PRIMARY KEY CHECK (id = 1),       -- one row
    data_set BIGINT NOT NULL,
    shards INT NOT NULL
) ENGINE = InnoDB;

-- A deleted application's row stays for ever: its token may be a page's cursor.
CREATE TABLE IF NOT EXISTS applications (
    id BIGINT PRIMARY KEY,
    token VARBINARY(64) NOT NULL UNIQUE CHECK (LENGTH(token) >= 1),
    name VARCHAR(255) NOT NULL,
    chats_count BIGINT NOT NULL DEFAULT 0,
    last_chat_number BIGINT NOT NULL DEFAULT 0,
    chats_deleted BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BIGINT,                          -- when, or NULL
    importing TINYINT NOT NULL DEFAULT 0,
    visible TINYINT NOT NULL DEFAULT 1,      -- neither deleted nor importing
    INDEX applications_listed (visible, created, token)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS chats (
    application_id BIGINT NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    name VARCHAR(255) NOT NULL,
    messages_count BIGINT NOT NULL DEFAULT 0,
    last_message_number BIGINT NOT NULL DEFAULT 0,
    messages_deleted BIGINT NOT NULL DEFAULT 0,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    deleted BIGINT,
    PRIMARY KEY (application_id, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

-- seq: of the row's last change. A TEXT has 65535 bytes, as a body has.
CREATE TABLE IF NOT EXISTS messages (
    application_id BIGINT NOT NULL,
    chat_number BIGINT NOT NULL,
    number BIGINT NOT NULL CHECK (number >= 1),
    seq BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    body TEXT NOT NULL CHECK (LENGTH(body) >= 1),
    PRIMARY KEY (application_id, chat_number, number)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE IF NOT EXISTS positions (
    follower VARBINARY(32) NOT NULL,
    shard INT NOT NULL,
    epoch BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    name_producer BIGINT NOT NULL,
    name_sequence BIGINT NOT NULL,
    time BIGINT NOT NULL,
    run BIGINT NOT NULL,
    PRIMARY KEY (follower, shard)
) ENGINE = InnoDB;

-- Who of several processes follows which shard. Not in positions: a renewal must
-- not wait for the batch that moves a position, nor the batch for it.
CREATE TABLE IF NOT EXISTS leases (
    follower VARBINARY(32) NOT NULL,
    shard INT NOT NULL,
    owner BIGINT NOT NULL,                   -- or 0: nobody
    lease_until BIGINT NOT NULL,
    PRIMARY KEY (follower, shard)
) ENGINE = InnoDB;

CREATE TABLE IF NOT EXISTS lease_members (
    follower VARBINARY(32) NOT NULL,
    owner BIGINT NOT NULL,
    alive_until BIGINT NOT NULL,
    PRIMARY KEY (follower, owner)
) ENGINE = InnoDB;

-- What was deleted and is not cleaned up by both; chat 0: the application.
CREATE TABLE IF NOT EXISTS purges (
    application_id BIGINT NOT NULL,
    chat BIGINT NOT NULL,
    seq BIGINT NOT NULL,                     -- of the deletion
    store_done TINYINT NOT NULL DEFAULT 0,
    indexing_done TINYINT NOT NULL DEFAULT 0,
    PRIMARY KEY (application_id, chat),
    INDEX purges_of_store (store_done, seq),
    INDEX purges_of_indexing (indexing_done, seq)
) ENGINE = InnoDB;

-- Records that were refused, and those that joined them. A root is a refused
-- creation; its key (chat, target) is (0, 0) for an application, (chat, 0) for a
-- chat. A dropped root stays, so that what comes later for it is dropped too.
CREATE TABLE IF NOT EXISTS dead_records (
    shard INT NOT NULL,
    seq BIGINT NOT NULL,
    type INT NOT NULL,
    application_id BIGINT NOT NULL,
    token VARBINARY(64) NOT NULL,
    chat BIGINT NOT NULL,
    number BIGINT NOT NULL,
    target BIGINT NOT NULL,                  -- the message, or 0
    time BIGINT NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    text MEDIUMBLOB NOT NULL,                -- maybe too long for a body
    reason TEXT NOT NULL,
    root INT NOT NULL,
    joined INT NOT NULL,
    dropped TINYINT NOT NULL DEFAULT 0,
    PRIMARY KEY (shard, seq),
    INDEX dead_records_roots (root, application_id, chat, target)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
