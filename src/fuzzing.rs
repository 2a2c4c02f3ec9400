//! What must hold of bytes that strangers send or leave behind: one function for each fuzz target (`fuzz/`). Each
//! part states its properties beside what they are about, in a file `fuzzing.rs` of its own.
//!
//! Only compiled for fuzzing and for tests, which replay the committed inputs.

pub use crate::config::fuzzing::config;
pub use crate::registry::wire::fuzzing::wire;
pub use crate::serve::fuzzing::{cursor, query};
pub use crate::store::fuzzing::store;

#[cfg(test)]
#[path = "fuzzing/tests.rs"]
mod tests;
