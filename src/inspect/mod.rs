//! What people ask of the catalog, and of servers, beyond listing them. Pure: no I/O, no await, no clock. It renders
//! nothing: `serve` and `cli` write what is found here.

pub mod likeness;
pub mod server_json;
pub mod validate;
