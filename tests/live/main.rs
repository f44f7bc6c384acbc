//! What a device needs that follows a drive while it lives: the feed, and being told at once.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

mod feed;
mod folders;
mod mirror;
mod stream;
mod told;
