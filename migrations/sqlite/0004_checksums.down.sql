ALTER TABLE file_versions DROP COLUMN md5;
