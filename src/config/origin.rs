//! Where the configuration comes from, so that it can be read again when it has changed.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{ConfigError, Flags, Loaded, load};

/// The files and flags that the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    files: Vec<PathBuf>,
    flags: Flags,
}

/// What tells whether files have changed. Editors and config maps replace files, hence the inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(Vec<Option<FileSignature>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileSignature {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

impl Origin {
    /// The files, in the order in which they count, and the flags.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, flags: Flags) -> Self {
        Self { files, flags }
    }

    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// Every problem found; see [`load`].
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        load(&self.files, &self.flags)
    }

    /// What the files look like now.
    #[must_use]
    pub fn signature(&self) -> Signature {
        Signature::of(&self.files)
    }
}

impl Signature {
    pub(super) fn of(files: &[PathBuf]) -> Self {
        Self(files.iter().map(|file| signature(file)).collect())
    }
}

fn signature(file: &Path) -> Option<FileSignature> {
    let metadata = std::fs::metadata(file).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(FileSignature { modified: metadata.modified().ok(), length: metadata.len(), inode })
}
