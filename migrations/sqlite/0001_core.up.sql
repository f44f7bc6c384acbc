-- The catalogue's core: accounts, devices, drives, the tree and its history, sync, conflicts, activity.
-- Times are microseconds since 1970 (UTC) unless a name ends in _ns (nanoseconds); both engines order and compare
-- them alike. Integer keys stay inside; every noun of the API has a uuid.

-- Facts about this catalogue itself: its epoch (a restored copy gets a new one), the server's id.
CREATE TABLE settings (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    id            INTEGER PRIMARY KEY,
    uuid          BLOB NOT NULL UNIQUE,
    username      TEXT NOT NULL,
    username_key  TEXT NOT NULL UNIQUE,          -- folded: two accounts never differ by case alone
    display_name  TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    password_hash TEXT NOT NULL,                 -- Argon2id, PHC string
    disabled_at   INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT;

-- Devices a user registered; device_id is the client's own name for itself, unique per user (003-04).
CREATE TABLE devices (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id    TEXT NOT NULL,
    name         TEXT NOT NULL,
    platform     TEXT,
    policy       TEXT,
    scope        TEXT,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    last_seen_at INTEGER,
    revoked_at   INTEGER,
    UNIQUE (user_id, device_id)
) STRICT;

-- Logins. The refresh token names the session and its generation and is proved by a keyed hash, so nothing secret
-- is stored; a generation already used again revokes the session.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id    INTEGER REFERENCES devices (id) ON DELETE CASCADE,
    generation   INTEGER NOT NULL,
    user_agent   TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX idx_sessions_user ON sessions (user_id);
CREATE INDEX idx_sessions_device ON sessions (device_id);

-- One secret per device or program, found by a fast keyed hash; the secret itself is random and long.
CREATE TABLE app_passwords (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    device_id    INTEGER REFERENCES devices (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    secret_hash  BLOB NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX idx_app_passwords_user ON app_passwords (user_id);

-- head_seq: the last committed change. placed_seq: every op up to it is on disk and durable there.
CREATE TABLE drives (
    id                INTEGER PRIMARY KEY,
    uuid              BLOB NOT NULL UNIQUE,
    owner_id          INTEGER NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    name              TEXT NOT NULL,
    name_key          TEXT NOT NULL,
    kind              TEXT NOT NULL CHECK (kind IN ('nas', 'usb', 'internal', 'network', 'cloud')),
    unique_identifier TEXT NOT NULL,
    provider          TEXT,
    root              TEXT,                      -- absolute path of the folder; NULL: known from reports alone
    root_node_id      INTEGER,
    mount_point       TEXT,                      -- moved to drive_client_mounts by 0002
    is_available      INTEGER NOT NULL DEFAULT TRUE,
    last_seen_at      INTEGER,
    degraded          TEXT,                      -- why new writes are refused, in public words
    head_seq          INTEGER NOT NULL DEFAULT 0,
    placed_seq        INTEGER NOT NULL DEFAULT 0,
    prune_floor       INTEGER NOT NULL DEFAULT 0,
    owner_lease       TEXT,                      -- which process serves the root
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (owner_id, unique_identifier),
    UNIQUE (owner_id, name_key)
) STRICT;

CREATE TABLE drive_members (
    drive_id   INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    role       TEXT NOT NULL CHECK (role IN ('editor', 'viewer')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (drive_id, user_id)
) STRICT;

-- The tree, an adjacency list: a folder of a million files is renamed by one row. A node is dead when it or any
-- folder above it is. ino, btime_ns, size, mtime_ns: what stat said when it was last seen.
CREATE TABLE nodes (
    id                 INTEGER PRIMARY KEY,
    uuid               BLOB NOT NULL UNIQUE,
    drive_id           INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    parent_id          INTEGER REFERENCES nodes (id) ON DELETE CASCADE,
    name               TEXT NOT NULL,
    name_key           TEXT NOT NULL,
    kind               TEXT NOT NULL CHECK (kind IN ('file', 'folder', 'link')),
    state              TEXT NOT NULL CHECK (state IN ('live', 'dead', 'unplaced', 'missing')),
    seq                INTEGER NOT NULL,             -- of its latest change
    named_seq          INTEGER NOT NULL,             -- since when it has this parent and name
    hash               BLOB,
    size               INTEGER NOT NULL,
    mtime_ns           INTEGER NOT NULL,
    ino                INTEGER NOT NULL,
    btime_ns           INTEGER NOT NULL,
    current_version_id INTEGER,
    last_version       INTEGER NOT NULL DEFAULT 0,  -- highest version number ever given
    slot               BLOB,                     -- where it lies while not placed, or once dead
    created_at         INTEGER NOT NULL,
    modified_at        INTEGER NOT NULL,             -- when the server last changed it
    deleted_at         INTEGER
) STRICT;
CREATE UNIQUE INDEX idx_nodes_live_name ON nodes (parent_id, name) WHERE state <> 'dead';
CREATE INDEX idx_nodes_parent_name ON nodes (parent_id, name);
CREATE INDEX idx_nodes_drive_seq ON nodes (drive_id, seq);
CREATE INDEX idx_nodes_drive_ino ON nodes (drive_id, ino);
CREATE INDEX idx_nodes_slot ON nodes (slot) WHERE slot IS NOT NULL;
CREATE INDEX idx_nodes_drive_hash ON nodes (drive_id, hash);

-- Names a node no longer has, and the changes between which it had them: "every node that ever lived at that path".
CREATE TABLE node_names (
    id        INTEGER PRIMARY KEY,
    node_id   INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    parent_id INTEGER NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    name      TEXT NOT NULL,
    from_seq  INTEGER NOT NULL,
    to_seq    INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_node_names_parent_name ON node_names (parent_id, name);
CREATE INDEX idx_node_names_node ON node_names (node_id);

-- One content that a file has had. Its bytes lie in the tree while it is current and placed, else in `slot`, else
-- still in `origin` (where it was staged); ino and btime_ns say which of these holds it.
CREATE TABLE file_versions (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    drive_id     INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    node_id      INTEGER REFERENCES nodes (id) ON DELETE CASCADE,  -- NULL: of a path where no file ever was
    n            INTEGER,                            -- 1, 2, ..; NULL: a conflict's candidate, not yet history
    path         TEXT NOT NULL,                  -- as it was then
    hash         BLOB NOT NULL,
    sha1         BLOB,
    size         INTEGER NOT NULL,
    mtime_ns     INTEGER NOT NULL,
    ino          INTEGER NOT NULL,
    btime_ns     INTEGER NOT NULL,
    origin       BLOB,
    slot         BLOB,
    twin         BLOB,
    sealed       INTEGER NOT NULL DEFAULT FALSE,
    lost         INTEGER NOT NULL DEFAULT FALSE,    -- an outside program destroyed its bytes
    reason       TEXT NOT NULL,
    created_at   INTEGER NOT NULL,
    created_by   INTEGER REFERENCES users (id) ON DELETE SET NULL,
    device_id    INTEGER REFERENCES devices (id) ON DELETE SET NULL,
    condemned_at INTEGER
) STRICT;
CREATE UNIQUE INDEX idx_file_versions_node_n ON file_versions (node_id, n);
CREATE INDEX idx_file_versions_path ON file_versions (drive_id, path) WHERE node_id IS NULL;
CREATE INDEX idx_file_versions_drive_hash ON file_versions (drive_id, hash);
CREATE INDEX idx_file_versions_slot ON file_versions (slot);
CREATE INDEX idx_file_versions_origin ON file_versions (origin);

-- One row per change of a drive, in the drive's order: what history, rewind and machines read.
CREATE TABLE changes (
    id             INTEGER PRIMARY KEY,
    uuid           BLOB NOT NULL UNIQUE,
    drive_id       INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    seq            INTEGER NOT NULL,
    node_id        INTEGER NOT NULL,
    at             INTEGER NOT NULL,
    actor_id       INTEGER REFERENCES users (id) ON DELETE SET NULL,
    device_id      INTEGER REFERENCES devices (id) ON DELETE SET NULL,
    action         BLOB NOT NULL,                -- groups the changes of one act
    kind           TEXT NOT NULL,
    old_parent_id  INTEGER,
    old_name       TEXT,
    old_version_id INTEGER,
    old_state      TEXT,
    new_parent_id  INTEGER,
    new_name       TEXT,
    new_version_id INTEGER,
    new_state      TEXT,
    UNIQUE (drive_id, seq)
) STRICT;

-- Placements committed but not yet done, marked and judged. Paths are physical, as of their seq.
CREATE TABLE ops (
    id                   INTEGER PRIMARY KEY,
    uuid                 BLOB NOT NULL UNIQUE,   -- also the name of its slot
    drive_id             INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    seq                  INTEGER NOT NULL,
    kind                 TEXT NOT NULL CHECK (kind IN ('put', 'mkdir', 'del', 'mv', 'mvover')),
    node_id              INTEGER NOT NULL,
    version_id           INTEGER,
    path                 TEXT NOT NULL,
    dst                  TEXT,
    ino                  INTEGER NOT NULL,
    btime_ns             INTEGER NOT NULL,
    hash                 BLOB,                     -- of the content it places (puts)
    displaced_version_id INTEGER,
    displaced_ino        INTEGER,
    displaced_btime_ns   INTEGER,
    displaced_size       INTEGER,
    displaced_mtime_ns   INTEGER,
    state                TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'placed', 'parked')),
    detail               TEXT,
    committed_at         INTEGER NOT NULL,
    UNIQUE (drive_id, seq)
) STRICT;

-- Where a device stands with a drive (document 003).
CREATE TABLE sync_states (
    id                INTEGER PRIMARY KEY,
    device_id         INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    drive_id          INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    last_change_token TEXT NOT NULL,
    token_seq         INTEGER NOT NULL,
    revision          INTEGER NOT NULL DEFAULT 0,  -- raised by whatever writes its rows or conflicts
    last_sync         INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    UNIQUE (device_id, drive_id)
) STRICT;

-- Per path of a device that keeps no base: its last claim and the agreement, by path, outliving nodes.
-- Values: 32 bytes a file's hash, 'F' a folder, 'U' unreadable (claims only), 'G' gone (agreements only).
CREATE TABLE sync_metadata (
    sync_state_id INTEGER NOT NULL REFERENCES sync_states (id) ON DELETE CASCADE,
    path          TEXT NOT NULL,
    claim         BLOB,                         -- NULL: not claimed
    agreed        BLOB,                         -- NULL: no agreement
    agreed_seq    INTEGER,                           -- the node's seq when it was agreed
    forced        BLOB,                         -- the client's hash for which keep_local wrote the agreement
    PRIMARY KEY (sync_state_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE conflicts (
    id                   INTEGER PRIMARY KEY,
    uuid                 BLOB NOT NULL UNIQUE,
    drive_id             INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    device_id            INTEGER REFERENCES devices (id) ON DELETE CASCADE,  -- NULL: another program on the disk
    path                 TEXT NOT NULL,
    base_hash            BLOB,
    client_hash          BLOB NOT NULL,
    server_hash          BLOB,
    server_kind          TEXT,
    server_modified_at   INTEGER,
    blocked_by           TEXT,
    candidate_version_id INTEGER REFERENCES file_versions (id) ON DELETE SET NULL,
    state                TEXT NOT NULL CHECK (state IN ('open', 'resolved', 'obsolete')),
    resolution           TEXT,
    resolved_by          INTEGER REFERENCES users (id) ON DELETE SET NULL,
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL,
    resolved_at          INTEGER
) STRICT;
CREATE INDEX idx_conflicts_drive_state ON conflicts (drive_id, state);
CREATE UNIQUE INDEX idx_conflicts_open ON conflicts (device_id, drive_id, path) WHERE state = 'open' AND device_id IS NOT NULL;

-- Where disk and catalogue disagree, for people to settle.
CREATE TABLE findings (
    id          INTEGER PRIMARY KEY,
    uuid        BLOB NOT NULL UNIQUE,
    drive_id    INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    node_id     INTEGER,
    kind        TEXT NOT NULL,
    path        TEXT NOT NULL,
    detail      TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    resolved_at INTEGER,
    resolution  TEXT
) STRICT;
CREATE INDEX idx_findings_drive ON findings (drive_id, resolved_at);

-- The activity log, for people: written in the transaction of the act, published after its commit.
CREATE TABLE events (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid      BLOB NOT NULL UNIQUE,
    at        INTEGER NOT NULL,
    actor_id  INTEGER REFERENCES users (id) ON DELETE SET NULL,
    device_id INTEGER REFERENCES devices (id) ON DELETE SET NULL,
    drive_id  INTEGER REFERENCES drives (id) ON DELETE CASCADE,
    kind      TEXT NOT NULL,
    path      TEXT,
    result    TEXT NOT NULL,
    detail    TEXT NOT NULL                      -- JSON object
) STRICT;
CREATE INDEX idx_events_drive ON events (drive_id, id);
