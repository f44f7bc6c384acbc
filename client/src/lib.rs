//! `holdfast`: the command line of a Holdfast server, and the agent that keeps a folder in sync with a drive.

pub mod agent;
