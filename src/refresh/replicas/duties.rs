//! Whose it is to ask the registries: the leader's, for all; and what no other replica has, whoever has it asks itself.

use std::collections::HashSet;
use std::sync::Arc;

use crate::registry::Registry;
use crate::store::shared::manifest::Manifest;
use crate::store::shared::protocol::Role;

/// Who asks which registry, as this replica sees it.
#[derive(Debug, Default)]
pub(super) struct Duties {
    role: Option<Role>,
    /// Rises whenever this replica begins to ask.
    shift: u64,
    /// The places that the leader asks; all, as long as nobody has written anything.
    shared: Option<HashSet<[u8; 32]>>,
}

impl Duties {
    /// Takes in a role.
    pub(super) fn turn(&mut self, role: Role, registries: &[Arc<Registry>]) {
        let begins = match role {
            // What changed while it was alone, or followed, comes first.
            Role::Leading(_) => !matches!(self.role, Some(Role::Leading(_))),
            Role::Alone => !matches!(self.role, Some(Role::Leading(_) | Role::Alone)),
            Role::Following => false,
        };
        self.shift += u64::from(begins);
        self.role = Some(role);
        for registry in registries {
            let is_ours = role != Role::Following || !self.is_shared(registry);
            if is_ours {
                registry.forget_what_others_hold();
            }
            registry.set_duty(is_ours.then_some(self.shift));
        }
    }

    /// Takes in whom the leader asks.
    pub(super) fn note(&mut self, manifest: &Manifest) {
        self.shared = Some(manifest.registries.iter().map(|part| part.place.bytes()).collect());
    }

    fn is_shared(&self, registry: &Registry) -> bool {
        self.shared.as_ref().is_none_or(|shared| shared.contains(&registry.place()))
    }
}
