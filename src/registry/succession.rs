//! A registry whose settings have changed while the proxy runs is another [`Registry`], and takes over what is known
//! from the one before it.

use super::{Origin, Registry};

impl Registry {
    /// Takes over what is known from the registry that this one replaces: health, listing, and what a test or a walk
    /// brought last. Both must have the same name and the same place (contract §1: a listing belongs to both).
    pub fn take_over(&self, predecessor: &Self) {
        let status = predecessor.status().clone();
        *self.status() = status;
        // What was asked for and not served is for us to serve.
        self.requests.send_replace(*predecessor.requests.borrow());
        self.lineage.take_over(&predecessor.lineage);
        self.lane.take_over(&predecessor.lane);
        self.tally.take_over(&predecessor.tally);
        if let (Origin::Http(ours), Origin::Http(theirs)) = (&self.source, &predecessor.source) {
            ours.take_over(theirs);
        }
        self.walkable.send_replace(*predecessor.walkable.borrow());
        self.duty.send_replace(*predecessor.duty.borrow());
        self.changed.notify_one();
    }
}
