//! What people ask of the catalog, and of servers, beyond listing them. Pure: no I/O, no await, no clock. It renders
//! nothing: `serve` and `cli` write what is found here.

pub mod client_configuration;
pub mod conflicts;
pub mod duplicates;
pub mod hidden;
pub mod likeness;
pub mod manifest;
mod names;
pub mod server_json;
#[cfg(test)]
mod testing;
pub mod validate;

pub use names::NameFilter;
