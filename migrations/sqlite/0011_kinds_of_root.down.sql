ALTER TABLE drives DROP COLUMN folds_case;
ALTER TABLE drives DROP COLUMN medium;
