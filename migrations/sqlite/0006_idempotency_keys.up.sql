-- What requests with an Idempotency-Key were answered, so that the same request again gets the same answer.
CREATE TABLE idempotency_keys (
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL,                    -- SHA-256 of what was asked
    answer      TEXT NOT NULL,                    -- the body
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT;
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys (created_at);
