-- What requests with an Idempotency-Key were answered, so that the same request again gets the same answer.
CREATE TABLE idempotency_keys (
    user_id     BIGINT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key         TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,                    -- SHA-256 of what was asked
    answer      TEXT COLLATE "C" NOT NULL,                    -- the body
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idx_idempotency_keys_created ON idempotency_keys (created_at);
