//! What a device needs that follows a drive while it lives: the feed, being told at once, and
//! many small things in one request.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

mod batch;
mod contents;
mod feed;
mod folders;
mod mirror;
mod records;
mod stream;
mod told;
