//! `holdfast`: the command line of a Holdfast server, and the agent that keeps a folder in sync with a drive.
//!
//! `agent` keeps a folder in sync, `commands` is the command line, `show` what people see of it, `api` the REST client,
//! `state` what is kept between two runs, `platform` everything that differs from one operating system to another. Downward
//! only: commands call agent, show, api and state; all may call platform; api knows no terminal.

pub mod agent;
pub mod api;
pub mod commands;
pub mod platform;
pub mod show;
pub mod state;
