//! Whose it is to ask the registries: the leader's, for all; and what no other replica has, whoever has it asks itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::registry::Registry;
use crate::store::shared::manifest::Manifest;
use crate::store::shared::protocol::Role;

/// Who asks which registry, as this replica sees it.
#[derive(Debug, Default)]
pub(super) struct Duties {
    role: Option<Role>,
    /// Rises whenever this replica begins to ask, and when it has taken up before that what others know.
    shift: u64,
    /// The places that the leader asks; all, as long as nobody has written anything.
    shared: Option<HashSet<[u8; 32]>>,
    /// The places that the leader does not ask, and since when: it may be about to.
    new: HashMap<[u8; 32], Instant>,
    /// How long they are left to it. Not all replicas read a changed configuration at once.
    grace: Duration,
}

impl Duties {
    /// Nobody's yet. What the leader does not ask is left to it for `grace`.
    pub(super) fn new(grace: Duration) -> Self {
        Self { grace, ..Self::default() }
    }

    /// Takes in a role.
    pub(super) fn turn(&mut self, role: Role, registries: &[Arc<Registry>]) {
        let is_asking = |role| matches!(role, Role::Leading(_) | Role::Alone);
        // Who was alone and leads now goes on with what it has begun.
        let begins = is_asking(role) && !self.role.is_some_and(is_asking);
        self.shift += u64::from(begins);
        self.role = Some(role);
        let places: HashSet<_> = registries.iter().map(|registry| registry.place()).collect();
        self.new.retain(|place, _| places.contains(place));
        for registry in registries {
            let is_ours = role != Role::Following || !self.is_shared(registry);
            if is_ours {
                registry.forget_what_others_hold();
            }
            registry.set_duty(is_ours.then_some(self.shift));
        }
    }

    /// Has the next turn begin anew: what was taken up from others may be newer than what is under way.
    pub(super) fn begin_anew(&mut self) {
        self.shift += 1;
    }

    /// Takes in whom the leader asks.
    pub(super) fn note(&mut self, manifest: &Manifest) {
        self.shared = Some(manifest.registries.iter().map(|part| part.place.bytes()).collect());
    }

    fn is_shared(&mut self, registry: &Registry) -> bool {
        let Some(shared) = &self.shared else { return true };
        let place = registry.place();
        if shared.contains(&place) {
            self.new.remove(&place);
            return true;
        }
        self.new.entry(place).or_insert_with(Instant::now).elapsed() < self.grace
    }
}
