//! A file that is replaced by another one in one step, with its permissions and its owner, where a link leads to.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::files::{Signature, private};

/// A file as it was read.
pub(super) struct Original {
    /// Where links lead to.
    path: PathBuf,
    metadata: Metadata,
    pub(super) text: String,
}

/// Why a file was not written. It is as it was.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {reason}", path.display())]
pub struct WriteError {
    path: PathBuf,
    reason: String,
}

impl Original {
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let path = fs::canonicalize(path)?;
        let metadata = fs::metadata(&path)?;
        let text = fs::read_to_string(&path)?;
        Ok(Self { path, metadata, text })
    }

    pub(super) fn replace_by(&self, text: &str) -> Result<(), WriteError> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.path.with_file_name(format!(".{name}.new-{}", std::process::id()));
        let replaced = self.write_beside(&beside, text).and_then(|()| self.put_in_place(&beside));
        replaced.map_err(|reason| {
            // It may not be there at all.
            let _ = fs::remove_file(&beside);
            WriteError { path: self.path.clone(), reason }
        })
    }

    fn write_beside(&self, beside: &Path, text: &str) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        // A file that may not be written is not to be replaced either, though the directory would let it.
        fs::OpenOptions::new().append(true).open(&self.path).map_err(said)?;
        let mut file = private().create_new(true).open(beside).map_err(said)?;
        file.write_all(text.as_bytes()).map_err(said)?;
        take_owner(&file, &self.metadata)
            .map_err(|error| format!("it belongs to somebody else, whom a new file could not be given to ({error})"))?;
        file.set_permissions(self.metadata.permissions()).map_err(said)?;
        file.sync_all().map_err(said)
    }

    fn put_in_place(&self, beside: &Path) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        let now = fs::metadata(&self.path).map_err(said)?;
        if Signature::of(&now) != Signature::of(&self.metadata) {
            return Err("somebody else has changed it meanwhile; try again".to_owned());
        }
        fs::rename(beside, &self.path).map_err(said)?;
        // Of the directory: it is in place already, and would only not outlive a crash of the machine.
        if let Some(directory) = self.path.parent().and_then(|parent| File::open(parent).ok()) {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

#[cfg(unix)]
fn take_owner(file: &File, original: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};
    let new = file.metadata()?;
    let owner = (new.uid() != original.uid()).then(|| original.uid());
    let group = (new.gid() != original.gid()).then(|| original.gid());
    if owner.is_none() && group.is_none() { Ok(()) } else { fchown(file, owner, group) }
}

#[cfg(not(unix))]
fn take_owner(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}
