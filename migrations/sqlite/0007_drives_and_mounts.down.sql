ALTER TABLE drives DROP COLUMN offline_since;
DROP TABLE mount_history;
DROP INDEX idx_drive_mounts_client_key;
ALTER TABLE drive_client_mounts DROP COLUMN sync_error;
ALTER TABLE drive_client_mounts DROP COLUMN sync_status;
ALTER TABLE drive_client_mounts DROP COLUMN mount_key;
