-- Mounts as devices report them (000-17, 000-29, 000-31, 000-32): found by the place's key, with their history.
-- mount_key: one text for all spellings of a place by the rules of the device's system, computed by the server.
ALTER TABLE drive_client_mounts ADD COLUMN mount_key TEXT NOT NULL DEFAULT '';
ALTER TABLE drive_client_mounts ADD COLUMN sync_status TEXT;
ALTER TABLE drive_client_mounts ADD COLUMN sync_error TEXT;
UPDATE drive_client_mounts
SET mount_key = CASE WHEN rtrim(mount_point, '/') = '' THEN '/' ELSE rtrim(mount_point, '/') END;
CREATE INDEX idx_drive_mounts_client_key ON drive_client_mounts (client_id, mount_key);

CREATE TABLE mount_history (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    drive_id     INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    client_id    INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    at           INTEGER NOT NULL,
    mount_point  TEXT NOT NULL,
    is_available INTEGER NOT NULL,
    reason       TEXT NOT NULL CHECK (reason IN ('reported', 'moved', 'not-reported', 'displaced', 'revoked'))
) STRICT;
CREATE INDEX idx_mount_history_drive_client ON mount_history (drive_id, client_id, id);

-- Since when its owner wants the drive out of reach, whether or not its disk is there.
ALTER TABLE drives ADD COLUMN offline_since INTEGER;
