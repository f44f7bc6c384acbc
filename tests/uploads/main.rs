//! Resumable uploads (tus 1.0), as their clients see them.
//!
//! Seen to fail with: a part that is kept in spite of its checksum; anybody's upload by its id; a whole of another hash;
//! uploads that recovery sweeps; nothing that expires; a result that is not remembered; a condition that is not looked at
//! in the end; a part that goes on when the server stops.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod ends;
mod parts;
mod refused;
mod resumed;
mod sender;
