-- What devices tell of drives (000-17, 000-26; docs/design/012-reports.md): how large each is, what is on those without a root,
-- and how far a device has come with telling it.
-- Bytes as whoever saw the drive last said, and when that was: a device, or this server of a drive with a root.
ALTER TABLE drives ADD COLUMN total_bytes INTEGER;
ALTER TABLE drives ADD COLUMN available_bytes INTEGER;
ALTER TABLE drives ADD COLUMN measured_at INTEGER;
-- When a device last told what is on it.
ALTER TABLE drives ADD COLUMN reported_at INTEGER;
-- Since when it is no drive any more. What is known of it goes bit by bit; the row stays, for the activity log to name it.
ALTER TABLE drives ADD COLUMN forgotten_at INTEGER;

-- The last walk of each device over each drive.
CREATE TABLE drive_reports (
    id         INTEGER PRIMARY KEY,
    drive_id   INTEGER NOT NULL REFERENCES drives (id) ON DELETE CASCADE,
    client_id  INTEGER NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    walk       BLOB NOT NULL,                    -- the device's own id of it
    began_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    ended_at   INTEGER,
    added      INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    gone       INTEGER NOT NULL,
    gone_files INTEGER NOT NULL,                 -- files no longer seen, since a person last said yes to that
    withheld   INTEGER NOT NULL,                 -- more are gone, and nobody has said yes yet
    UNIQUE (drive_id, client_id)
) STRICT;
CREATE INDEX idx_drive_reports_client ON drive_reports (client_id);
