-- What a drive's folder is on, as far as the catalogue must know it.
-- medium: by what a disc that can only be read, and so carries no signature, is known again.
-- folds_case: the file system takes names that differ in case alone for one.
ALTER TABLE drives ADD COLUMN medium TEXT;
ALTER TABLE drives ADD COLUMN folds_case INTEGER NOT NULL DEFAULT FALSE;
