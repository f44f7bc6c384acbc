-- WebDAV: locks and dead properties (RFC 4918, sections 4 and 6). Both belong to a node, so that they are where it is.

-- A lock's token is made of its uuid. It holds until expires_at, for its user and whoever of them sends the token.
CREATE TABLE dav_locks (
    id         INTEGER PRIMARY KEY,
    uuid       BLOB NOT NULL UNIQUE,
    drive_id   INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    node_id    INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    shared     INTEGER NOT NULL,
    deep       INTEGER NOT NULL,                 -- covers all beneath the node
    owner      TEXT,                             -- the client's word for who holds it: XML, told back as it came
    timeout    INTEGER NOT NULL,                 -- microseconds from each refresh
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_dav_locks_drive ON dav_locks (drive_id);
CREATE INDEX idx_dav_locks_node ON dav_locks (node_id);
CREATE INDEX idx_dav_locks_user ON dav_locks (user_id);

-- Properties that clients set and the server only keeps. The value is the whole property element as XML that needs
-- nothing around it.
CREATE TABLE dav_properties (
    node_id   INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (node_id, namespace, name)
) STRICT, WITHOUT ROWID;
