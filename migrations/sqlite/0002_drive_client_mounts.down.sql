-- Back to one mount point per drive: the legacy client's, else the most recently seen one. What other devices
-- reported is lost, as docs/operations.md says.
ALTER TABLE drives ADD COLUMN mount_point TEXT;

UPDATE drives SET mount_point = (
    SELECT m.mount_point
    FROM drive_client_mounts m
    JOIN devices c ON c.id = m.client_id
    WHERE m.drive_id = drives.id
    ORDER BY CASE WHEN c.device_id = 'legacy_client' THEN 0 ELSE 1 END, m.last_seen_at DESC, m.id DESC
    LIMIT 1
);

DROP TABLE drive_client_mounts;
DELETE FROM devices WHERE device_id = 'legacy_client';
