//! What outlives the process, as those see it who start it, change what it is made of, and end it. There are two:
//! [`Keeper`](super::keep::Keeper) keeps it on disk, for the next start; [`Replicas`](super::replicas::Replicas) shares it
//! through Redis, with those who run beside it.

use std::fmt;
use std::sync::Arc;

use super::{Start, Task};
use crate::registry::Registry;
use crate::store::identity::Secret;

/// What outlives the process.
pub trait Lasting: fmt::Debug + Send + Sync {
    /// The tasks that see to it for as long as the process runs, and the names that they go by in logs.
    fn tasks(self: Arc<Self>) -> Vec<(String, Start)>;

    /// Whether these tasks publish catalogs too: then nobody else does.
    fn publishes(&self) -> bool;

    /// Takes up what there is of a registry that came later.
    fn restore(self: Arc<Self>, registry: Arc<Registry>) -> Task;

    /// Sees to these registries from now on.
    fn follow(&self, registries: Vec<Arc<Registry>>);

    /// The secret that the proxy's id is to be made of, where others have a say in it.
    fn secret(&self) -> Option<Secret> {
        None
    }

    /// Ends well: nothing is lost, and others may go on.
    fn finish(self: Arc<Self>) -> Task;
}
