-- MD5 beside the SHA-1 of 0001: of a content whose sender, or whoever listed it, asks for checksums as ownCloud has them.
ALTER TABLE file_versions ADD COLUMN md5 BLOB;

-- These were kept as clients sent them; from now on they set a file's time and are told from it.
DELETE FROM dav_properties WHERE (namespace = 'DAV:' AND name IN ('lastmodified', 'getlastmodified'))
    OR (namespace = 'urn:schemas-microsoft-com:' AND name = 'Win32LastModifiedTime');
