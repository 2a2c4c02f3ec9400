//! What people ask of the catalog beyond listing it. Pure over a [`Catalog`](crate::catalog::Catalog): no I/O, no
//! await, no clock. It renders nothing: `serve` and `cli` write what is found here.

pub mod conflicts;
pub mod duplicates;
pub mod likeness;
mod names;
#[cfg(test)]
mod testing;

pub use names::NameFilter;
