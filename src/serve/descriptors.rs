//! How many connections the process can hold: every one is a file descriptor, and so is everything else that it opens.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is kept for others than clients: connections to registries, files, the runtime's own. Idle clients shall not
/// be able to keep us from asking a registry.
const RESERVED: u64 = 128;

/// Raises the soft limit of open files to the hard one, and says how many connections fit; `most` at most.
pub(super) fn connections(most: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    // Some systems know a lower limit than the one that they tell; then the soft one stays.
    let open_files = if setrlimit(Resource::Nofile, raised).is_ok() { limit.maximum } else { limit.current };
    let connections = fitting(open_files, most);
    if connections < most {
        tracing::info!(connections, open_files, "the limit of open files bounds the connections (`ulimit -n`)");
    }
    connections
}

/// How many connections fit; `None` is no limit. Half of what there is, where that is very little.
fn fitting(open_files: Option<u64>, most: usize) -> usize {
    let Some(open_files) = open_files else { return most };
    let left = open_files.saturating_sub(RESERVED).max(open_files / 2).max(1);
    usize::try_from(left).unwrap_or(usize::MAX).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        for (open_files, expected) in
            [(Some(0), 1), (Some(64), 32), (Some(1024), 896), (Some(1 << 20), 10_000), (Some(u64::MAX), 10_000)]
        {
            assert_eq!(fitting(open_files, 10_000), expected);
        }
        assert_eq!(fitting(None, 10_000), 10_000);
        assert_eq!(fitting(Some(1024), 5), 5);
    }
}
