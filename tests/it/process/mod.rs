//! What may happen to the process, row by row of the catalogue (`docs/faults.md`, P1–P17), as far as no other test
//! holds the row: `crash`, `store`, `restart`, `startup`, `commands` and `reload` hold most.

mod end;
mod limits;
mod signals;
