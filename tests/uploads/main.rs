//! Resumable uploads (tus 1.0), as their clients see them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod ends;
mod parts;
mod refused;
mod resumed;
mod sender;
