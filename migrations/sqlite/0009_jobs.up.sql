-- Long work with progress (design section 10): what it is about, how far it is, and what is needed to go on with it.
CREATE TABLE jobs (
    id               INTEGER PRIMARY KEY,
    uuid             BLOB NOT NULL UNIQUE,
    kind             TEXT NOT NULL,
    subject_kind     TEXT,                     -- 'volume'; NULL: it is about nothing in particular
    subject_id       BLOB,                     -- its public id
    subject_name     TEXT,                     -- what it was called then
    owner_id         INTEGER REFERENCES users (id) ON DELETE SET NULL,
    state            TEXT NOT NULL CHECK (state IN ('queued', 'running', 'finished', 'failed', 'cancelled', 'interrupted')),
    cancel_requested INTEGER NOT NULL DEFAULT FALSE,
    runner           BLOB,                     -- the process that has it in hand
    done             INTEGER NOT NULL DEFAULT 0,
    total            INTEGER,                  -- NULL: not known
    unit             TEXT NOT NULL,            -- of done and total: 'bytes', 'files'
    message          TEXT,
    counters         TEXT NOT NULL DEFAULT '{}',  -- JSON object of numbers
    params           TEXT NOT NULL,            -- JSON: what is needed to do it
    result           TEXT,                     -- JSON, once it is finished
    error            TEXT,                     -- in public words, once it has failed
    created_at       INTEGER NOT NULL,
    started_at       INTEGER,                  -- when this run began
    heartbeat_at     INTEGER NOT NULL,         -- when it was last heard of
    finished_at      INTEGER
) STRICT;
-- Two jobs of one kind about one thing are never open at once.
CREATE UNIQUE INDEX idx_jobs_open_subject ON jobs (kind, subject_id) WHERE state IN ('queued', 'running');
CREATE INDEX idx_jobs_owner ON jobs (owner_id);
