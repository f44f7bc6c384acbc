-- Mount points per device (document 000): one drive row, however many devices see it.
-- client_id is the device; a pseudo-device `legacy_client` per owner takes over what drives.mount_point held.
CREATE TABLE drive_client_mounts (
    id           INTEGER PRIMARY KEY,
    uuid         BLOB NOT NULL UNIQUE,
    drive_id     INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    client_id    INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    mount_point  TEXT NOT NULL,
    last_seen_at INTEGER NOT NULL DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000000 AS INTEGER)),
    is_available INTEGER NOT NULL DEFAULT TRUE,
    UNIQUE (drive_id, client_id)
) STRICT;
CREATE INDEX idx_drive_mounts_drive ON drive_client_mounts (drive_id);
CREATE INDEX idx_drive_mounts_client ON drive_client_mounts (client_id);

INSERT INTO devices (uuid, user_id, device_id, name, created_at, updated_at)
SELECT randomblob(16), owner_id, 'legacy_client', 'legacy client', MIN(created_at), MIN(created_at)
FROM drives
WHERE mount_point IS NOT NULL AND mount_point <> ''
  AND owner_id NOT IN (SELECT user_id FROM devices WHERE device_id = 'legacy_client')
GROUP BY owner_id;

INSERT INTO drive_client_mounts (uuid, drive_id, client_id, mount_point, last_seen_at, is_available)
SELECT randomblob(16), d.id, c.id, d.mount_point, COALESCE(d.last_seen_at, d.created_at), d.is_available
FROM drives d
JOIN devices c ON c.user_id = d.owner_id AND c.device_id = 'legacy_client'
WHERE d.mount_point IS NOT NULL AND d.mount_point <> '';

ALTER TABLE drives DROP COLUMN mount_point;
