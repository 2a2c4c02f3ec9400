//! How many connections the process can hold: every one is a file descriptor, and so is everything else that it opens.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::limits::Limits;

/// What is kept for others than clients: connections to registries, files, the runtime's own. Idle clients shall not
/// be able to keep us from asking a registry.
const RESERVED: u64 = 128;

/// Whose connections a listener accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Clients'.
    Public,
    /// Those of people who run the proxy.
    Admin,
}

/// Raises the soft limit of open files to the hard one, and says how many connections fit; `most` at most.
pub(super) fn connections(audience: Audience, most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Some systems know a lower limit than the one that they tell; then the soft one stays.
    let open_files = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let connections = fitting(audience, open_files, most);
    if connections < most {
        tracing::info!(
            connections,
            open_files,
            ?audience,
            "the limit of open files bounds the connections (`ulimit -n`)"
        );
    }
    connections
}

/// How many connections fit; `None` is no limit.
fn fitting(audience: Audience, open_files: Option<u64>, most: usize) -> usize {
    let Some(open_files) = open_files else { return most };
    let (public, admin) = shares(open_files);
    let share = if audience == Audience::Public { public } else { admin };
    usize::try_from(share).unwrap_or(usize::MAX).min(most)
}

/// How many connections clients may have, and how many those who run the proxy, so that both together leave what is
/// reserved. Half of what there is, where that is very little. What the admin listener may have is not handed to
/// clients where there is none: the number of clients shall not depend on that.
fn shares(open_files: u64) -> (u64, u64) {
    let left = open_files - RESERVED.min(open_files / 2);
    let admin = (Limits::ADMIN.connections as u64).min(left / 4);
    ((left - admin).max(1), admin.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (open_files, public, admin) in [
            (Some(0), 1, 1),
            (Some(64), 24, 8),
            (Some(256), 96, 32),
            (Some(1024), 832, 64),
            (Some(1 << 20), 10_000, 64),
            (Some(u64::MAX), 10_000, 64),
            (None, 10_000, 64),
        ] {
            assert_eq!(fitting(Audience::Public, open_files, 10_000), public, "{open_files:?}");
            assert_eq!(fitting(Audience::Admin, open_files, Limits::ADMIN.connections), admin, "{open_files:?}");
        }
        assert_eq!(fitting(Audience::Public, Some(1024), 5), 5);
    }

    #[test]
    fn what_both_listeners_may_have_and_what_is_reserved_add_up() {
        for open_files in (8..5_000).chain([1 << 20, u64::MAX]) {
            let (public, admin) = shares(open_files);
            let reserved = open_files - public - admin;
            assert!(reserved >= RESERVED.min(open_files / 2), "{open_files}: {public} and {admin}");
        }
    }
}
