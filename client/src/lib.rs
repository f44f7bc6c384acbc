//! `holdfast`: the command line of a Holdfast server, and the agent that keeps a folder in sync with a drive.
//!
//! `commands` is the command line, `api` the REST client, `state` what is kept between two runs, `platform` everything
//! that differs from one operating system to another. Downward only: commands call api and state, all may call platform.

pub mod api;
pub mod platform;
