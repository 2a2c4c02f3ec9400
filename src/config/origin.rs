//! Where the configuration comes from, so that it can be read again when it has changed.

use std::path::PathBuf;

use crate::files;

use super::{ConfigError, Flags, Loaded, load};

/// The files and flags that the process was started with.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    files: Vec<PathBuf>,
    flags: Flags,
}

/// What tells whether files have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(Vec<Option<files::Signature>>);

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
    pub(super) fn of(paths: &[PathBuf]) -> Self {
        let of = |file: &PathBuf| std::fs::metadata(file).ok().map(|metadata| files::Signature::of(&metadata));
        Self(paths.iter().map(of).collect())
    }
}
