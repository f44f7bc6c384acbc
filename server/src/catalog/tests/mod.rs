//! The catalogue on both engines: every text, every migration, the writer.
#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod forgetting;
mod idempotency;
mod migrations;
mod mounts;
mod statements;
mod writer;
