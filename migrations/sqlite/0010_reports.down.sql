DROP TABLE drive_reports;
UPDATE nodes SET parent_id = NULL WHERE drive_id IN (SELECT id FROM drives WHERE forgotten_at IS NOT NULL);
DELETE FROM drives WHERE forgotten_at IS NOT NULL;
ALTER TABLE drives DROP COLUMN forgotten_at;
ALTER TABLE drives DROP COLUMN reported_at;
ALTER TABLE drives DROP COLUMN measured_at;
ALTER TABLE drives DROP COLUMN available_bytes;
ALTER TABLE drives DROP COLUMN total_bytes;
