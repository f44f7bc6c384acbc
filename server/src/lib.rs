//! `holdfastd`: the server of Holdfast. See ARCHITECTURE.md for the layers and who may call whom.

pub mod app;
pub mod catalog;
pub mod clock;
pub mod commands;
pub mod config;
pub mod dav;
pub mod domain;
pub mod error;
pub mod failpoint;
pub mod http;
pub mod keys;
pub mod service;
pub mod store;
pub mod tls;
pub mod verdicts;
