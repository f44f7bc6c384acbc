//! What a device needs that follows a drive while it lives: the feed, being told at once, and
//! many small things in one request.
//!
//! Seen to fail with: a page's token that is the head's although there is more; heads of every drive there is; a folder that
//! is deleted whatever it holds; a batch that is cut and done as far as it came; what a refused act did before it was refused;
//! a digest that is not compared.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expects by failing")]

mod batch;
mod contents;
mod feed;
mod folders;
mod mirror;
mod once;
mod records;
mod stream;
mod told;
