//! What several parts want of files: to know whether one has changed, and that nobody else may read one.

use std::fs::{Metadata, OpenOptions};
use std::time::SystemTime;

/// What tells whether a file has changed. Editors and config maps replace files, hence the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Signature {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { modified: metadata.modified().ok(), length: metadata.len(), inode: inode(metadata) }
    }

    /// Whether both are of the same file, whatever it holds by now.
    pub(crate) fn is_of_same_file(&self, other: &Self) -> bool {
        self.inode == other.inode
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

/// How a file is opened for writing that nobody else may read.
pub(crate) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
