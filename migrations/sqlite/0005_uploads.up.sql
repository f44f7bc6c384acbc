-- Contents that arrive in parts (tus 1.0). Their bytes wait on the drive itself, in .holdfast/uploads/<uuid>, and become
-- the slot of that uuid; of them the catalogue knows how many are known to be durable. A row with a result is of one that
-- has become a file: it is kept for whoever did not get the answer.
CREATE TABLE uploads (
    id         INTEGER PRIMARY KEY,
    uuid       BLOB NOT NULL UNIQUE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    drive_id   INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    device_id  INTEGER REFERENCES devices (id) ON DELETE CASCADE,  -- whose explicit sync act it is
    path       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    metadata   TEXT NOT NULL,                    -- Upload-Metadata as it came
    durable    INTEGER NOT NULL DEFAULT 0,       -- bytes
    result     TEXT,                             -- JSON
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX idx_uploads_user ON uploads (user_id, id);
CREATE INDEX idx_uploads_drive ON uploads (drive_id);
CREATE INDEX idx_uploads_device ON uploads (device_id);
CREATE INDEX idx_uploads_expires ON uploads (expires_at);
