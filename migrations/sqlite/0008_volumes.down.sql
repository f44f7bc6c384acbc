DROP TABLE volume_tracking;
DROP TABLE volumes;
