DROP TABLE dav_properties;
DROP TABLE dav_locks;
