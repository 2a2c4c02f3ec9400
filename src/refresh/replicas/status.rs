//! How a replica stands: what others show of it, and what the log says when that changes.

use jiff::Timestamp;

use crate::store::shared::protocol::{Number, Role};
use crate::store::shared::{Fault, Traffic};

/// How a replica stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// Where Redis is, without user and password.
    pub address: String,
    /// `leading`, `following` or `alone`.
    pub role: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// The epoch and the sequence of the last generation that it has taken.
    pub generation: (u64, u64),
    /// Whether what it serves is of its own making, and not of that generation.
    pub is_own: bool,
    /// When Redis last answered.
    pub heard_at: Option<Timestamp>,
    /// What is wrong with Redis, if something is.
    pub fault: Option<String>,
    /// Bytes of manifests and chunks that were written and read since the start.
    pub traffic: Traffic,
}

/// The same as it is kept.
#[derive(Debug)]
pub(super) struct Standing {
    status: ReplicaStatus,
    /// What is wrong, by what fails.
    faults: [Option<String>; 2],
}

/// What may fail, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// To ask how things stand.
    Pulse,
    /// To read or write what replicas share.
    Content,
}

impl Standing {
    pub(super) fn new(address: String) -> Self {
        let status = ReplicaStatus {
            address,
            role: name(Role::Following),
            since: Timestamp::now(),
            generation: (0, 0),
            is_own: false,
            heard_at: None,
            fault: None,
            traffic: Traffic::default(),
        };
        Self { status, faults: Default::default() }
    }

    pub(super) fn status(&self) -> ReplicaStatus {
        self.status.clone()
    }

    /// Redis has answered.
    pub(super) fn hear(&mut self) {
        self.status.heard_at = Some(Timestamp::now());
    }

    /// Something does not fail, or not any more. When nothing does, the log says so.
    pub(super) fn recover(&mut self, part: Part) {
        let was_failing = self.status.fault.is_some();
        self.faults[part as usize] = None;
        self.status.fault = self.faults.iter().flatten().next().cloned();
        if was_failing && self.status.fault.is_none() {
            tracing::info!(redis = self.status.address, "Redis is well again");
        }
    }

    /// Something fails.
    pub(super) fn miss(&mut self, part: Part, fault: &Fault) {
        let reason = fault.to_string();
        self.faults[part as usize] = Some(reason.clone());
        if self.status.fault.is_none() {
            tracing::warn!(
                redis = self.status.address,
                reason,
                "Redis fails: what there is is served on, and unless it recovers this replica soon goes on alone"
            );
        }
        self.status.fault = Some(reason);
    }

    /// Takes in how things stand after a cycle.
    pub(super) fn show(&mut self, seen: Number, is_own: bool, traffic: &Traffic) {
        let Number { epoch, sequence } = seen;
        (self.status.generation, self.status.is_own, self.status.traffic) = ((epoch, sequence), is_own, *traffic);
    }

    /// Takes in a role.
    pub(super) fn show_role(&mut self, role: Role) {
        let name = name(role);
        if self.status.role == name {
            return;
        }
        (self.status.role, self.status.since) = (name, Timestamp::now());
        match role {
            Role::Leading(epoch) => tracing::info!(epoch, "this replica leads: it asks the registries for all"),
            Role::Following => {
                let (epoch, sequence) = self.status.generation;
                tracing::info!(epoch, sequence, "this replica follows");
            }
            Role::Alone => {
                tracing::warn!(
                    redis = self.status.address,
                    "nobody leads, or nothing of it can be read: this replica asks the registries for itself"
                );
            }
        }
    }
}

fn name(role: Role) -> &'static str {
    match role {
        Role::Leading(_) => "leading",
        Role::Following => "following",
        Role::Alone => "alone",
    }
}
