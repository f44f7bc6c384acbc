//! What a device needs that follows a drive while it lives: the feed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what it expects by failing")]

mod feed;
mod folders;
mod mirror;
