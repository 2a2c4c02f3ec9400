//! wip
pub mod catalog;
pub mod registry;
pub mod refresh;
pub mod store;
pub mod telemetry;
pub mod shutdown;
pub mod serve;
pub mod config;
pub mod app;
pub mod cli;
