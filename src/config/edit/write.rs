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
        let beside = self.path.with_file_name(format!(".{name}.new-{:016x}", fastrand::u64(..)));
        self.replace_by_way_of(&beside, text).map_err(|reason| WriteError { path: self.path.clone(), reason })
    }

    fn replace_by_way_of(&self, beside: &Path, text: &str) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
        // A file that may not be written is not to be replaced either, though the directory would let it.
        fs::OpenOptions::new().append(true).open(&self.path).map_err(said)?;
        let file = private().create_new(true).open(beside).map_err(said)?;
        self.write(file, text).and_then(|()| self.put_in_place(beside)).inspect_err(|_| {
            // It is ours. That it cannot be removed is not what went wrong.
            let _ = fs::remove_file(beside);
        })
    }

    fn write(&self, mut file: File, text: &str) -> Result<(), String> {
        let said = |error: io::Error| error.to_string();
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
        fs::rename(beside, &self.path).map_err(|error| why_not_replaced(&error))?;
        // Of the directory: it is in place already, and would only not outlive a crash of the machine.
        if let Some(directory) = self.path.parent().and_then(|parent| File::open(parent).ok()) {
            let _ = directory.sync_all();
        }
        Ok(())
    }
}

/// A file that is mounted by itself, as containers have it, cannot be replaced.
fn why_not_replaced(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::ResourceBusy {
        return format!("{error}; if the file is mounted by itself, mount the directory that it is in instead");
    }
    error.to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_somebody_else_in_its_way_is_neither_written_nor_removed() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("proxy.toml");
        let beside = directory.path().join("beside");
        fs::write(&path, "old").expect("a file");
        fs::write(&beside, "somebody's").expect("a file");
        let original = Original::read(&path).expect("it is there");
        assert!(original.replace_by_way_of(&beside, "new").is_err());
        let text = |path: &Path| fs::read_to_string(path).expect("it is there");
        assert_eq!((text(&path), text(&beside)), ("old".to_owned(), "somebody's".to_owned()));
        fs::remove_file(&beside).expect("a file");
        fs::write(&path, "changed meanwhile").expect("a file");
        assert!(original.replace_by("new").is_err_and(|error| error.to_string().contains("somebody else")));
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "nothing of ours is left over");
    }

    #[test]
    fn a_file_that_is_mounted_by_itself_is_answered_with_what_to_do() {
        assert!(why_not_replaced(&io::ErrorKind::ResourceBusy.into()).contains("mount the directory"));
        assert!(!why_not_replaced(&io::ErrorKind::PermissionDenied.into()).contains("mount"));
    }
}
