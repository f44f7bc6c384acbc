-- Disks, partitions and shares of this machine, known again by their fingerprint (document 001), and who tracks them.
CREATE TABLE volumes (
    id                 INTEGER PRIMARY KEY,
    uuid               BLOB NOT NULL UNIQUE,
    fingerprint        TEXT NOT NULL UNIQUE,
    name               TEXT NOT NULL,
    is_online          INTEGER NOT NULL,             -- whether the last look saw it
    raw                TEXT NOT NULL,                -- JSON: all that was told of it when it was seen last
    read_speed_mbps    INTEGER,                      -- 10^6 bytes a second
    write_speed_mbps   INTEGER,
    last_speed_test_at INTEGER,
    first_seen_at      INTEGER NOT NULL,
    last_seen_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE volume_tracking (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    volume_id    INTEGER NOT NULL REFERENCES volumes (id) ON DELETE CASCADE,
    owner_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    display_name TEXT,
    tracked_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX idx_volume_fingerprint_library ON volume_tracking (volume_id, owner_id);
CREATE INDEX idx_volume_tracking_owner ON volume_tracking (owner_id);
