//! Why a file of the store cannot be read or written, in words that say what to do.

use std::io::{self, ErrorKind};

/// Why a file of the store cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The system does not let us.
    #[error("it cannot be {action}: {error}{}", advice(error))]
    Inaccessible {
        /// What was tried.
        action: &'static str,
        /// What the system said.
        error: io::Error,
    },
    /// A directory, a link or something else is in the place of the file.
    #[error("it is not a regular file; remove it, or name another directory in `store.path`")]
    NotAFile,
    /// It does not begin as our files do.
    #[error("it is not a file of this program")]
    Foreign,
    /// Another release wrote it.
    #[error("it has format version {0}; this release reads version {version}", version = super::format::VERSION)]
    OtherVersion(String),
    /// It is not as it was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// It cannot be kept in this format.
    #[error("it cannot be kept: {0}")]
    Unfit(String),
    /// Another process writes.
    #[error("another process writes to this store; give each its own `store.path`, unless they are replicas")]
    Locked,
    /// What was found in its place before is in the way.
    #[error("there are {0} files of other releases beside it already; remove those that are not needed")]
    NoRoom(usize),
}

impl Problem {
    pub(super) fn damaged(how: &str) -> Self {
        Self::Damaged(how.to_owned())
    }

    /// An error while writing.
    pub(super) fn written(error: io::Error) -> Self {
        Self::Inaccessible { action: "written", error }
    }

    /// Whether a file is there that nobody can say anything about: it may be good.
    pub(super) fn is_of_the_system(&self) -> bool {
        matches!(self, Self::Inaccessible { .. } | Self::NotAFile)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Inaccessible { action: "read", error }
    }
}

/// What to do about an error of the system.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room on the disk, or set `store.path` to another",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; make `store.path` a directory that the proxy may read and write"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::NotFound => {
            "; `store.path` must be a directory, or a place where one can be made"
        }
        _ => "",
    }
}
