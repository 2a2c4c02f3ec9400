//! A directory that is written whole or not at all: beside its place first, and moved there when it is done. What is
//! there already is replaced only where an export made it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file that says that an export made a directory. Web hosts do not show files with such names.
const MARKER: &str = ".mcp-registry-proxy-export";
const MARKER_TEXT: &str = "Made by `mcp-registry-proxy export`, which replaces this directory as a whole.\n";

/// Why a directory was not written. In any case, what was there is still there.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Problem {
    #[error("{}: {reason}", directory.display())]
    Refused { directory: PathBuf, reason: &'static str },
    #[error("cannot write {}: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("two entries would be in the same file, {0}")]
    Taken(String),
}

/// A directory in the making; gone unless it is finished.
#[derive(Debug)]
pub(super) struct Staging {
    target: PathBuf,
    staged: PathBuf,
    /// Where what is there goes meanwhile.
    old: PathBuf,
}

impl Staging {
    /// Finds out whether the directory may be written, and begins beside it.
    pub(super) fn begin(directory: &Path) -> Result<Self, Problem> {
        let refused = |reason| Problem::Refused { directory: directory.to_owned(), reason };
        let target = match fs::canonicalize(directory) {
            Ok(found) if !found.is_dir() => return Err(refused("it is no directory")),
            Ok(found) if !may_be_replaced(&found).map_err(|error| failed(&found, error))? => {
                return Err(refused("it holds something that no export made; name another directory, or empty it"));
            }
            Ok(found) => found,
            Err(_) => directory.to_owned(),
        };
        let name = target.file_name().ok_or_else(|| refused("it has no name"))?.to_string_lossy().into_owned();
        let parent = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        let process = std::process::id();
        let [staged, old] = ["new", "old"].map(|what| parent.join(format!(".{name}.{what}-{process}")));
        fs::create_dir_all(&parent).and_then(|()| fs::create_dir(&staged)).map_err(|error| failed(&staged, error))?;
        Ok(Self { target, staged, old })
    }

    /// Writes a file, which must not be there yet: with letter case ignored, as some file systems do, two names may
    /// be one.
    pub(super) fn write(
        &self,
        path: &str,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Problem> {
        let full = self.staged.join(path);
        let file = match create(&full) {
            Ok(file) => file,
            Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotADirectory) => {
                return Err(Problem::Taken(path.to_owned()));
            }
            Err(error) => return Err(failed(&full, error)),
        };
        let mut file = BufWriter::new(file);
        write(&mut file).and_then(|()| file.flush()).map_err(|error| failed(&full, error))
    }

    /// Puts the directory in its place.
    pub(super) fn finish(self) -> Result<(), Problem> {
        self.write(MARKER, |out| out.write_all(MARKER_TEXT.as_bytes()))?;
        let failed = |error| failed(&self.target, error);
        let replaces = self.target.exists();
        if replaces {
            fs::rename(&self.target, &self.old).map_err(failed)?;
        }
        if let Err(error) = fs::rename(&self.staged, &self.target) {
            if replaces {
                fs::rename(&self.old, &self.target).map_err(failed)?;
            }
            return Err(failed(error));
        }
        if replaces {
            fs::remove_dir_all(&self.old).map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Once it is finished, there is nothing there.
        let _ = fs::remove_dir_all(&self.staged);
    }
}

/// Whether a directory is empty, or made by an export.
fn may_be_replaced(directory: &Path) -> io::Result<bool> {
    Ok(directory.join(MARKER).is_file() || fs::read_dir(directory)?.next().is_none())
}

fn create(path: &Path) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

fn failed(path: &Path, error: io::Error) -> Problem {
    Problem::Write { path: path.to_owned(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(staging: &Staging, path: &str) -> Result<(), Problem> {
        staging.write(path, |out| out.write_all(path.as_bytes()))
    }

    #[test]
    fn a_directory_is_replaced_whole_and_only_where_an_export_made_it() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let target = place.path().join("a/b");
        for files in [["x", "y/z"], ["y", "x/z"]] {
            let staging = Staging::begin(&target).expect("a directory");
            for file in files {
                write(&staging, file).expect("a file");
            }
            staging.finish().expect("it is moved");
            for file in files {
                assert_eq!(fs::read_to_string(target.join(file)).expect("a file"), file);
            }
        }
        assert_eq!(fs::read_dir(place.path().join("a")).expect("a directory").count(), 1, "nothing else is left");

        fs::remove_file(target.join(MARKER)).expect("the marker");
        assert!(matches!(Staging::begin(&target), Err(Problem::Refused { .. })));
        assert!(matches!(Staging::begin(&target.join("y")), Err(Problem::Refused { .. })), "a file");
        fs::create_dir(place.path().join("empty")).expect("a directory");
        assert!(Staging::begin(&place.path().join("empty")).is_ok());
    }

    #[test]
    fn what_is_not_finished_leaves_everything_as_it_was() {
        let place = tempfile::tempdir().expect("a temporary directory");
        let target = place.path().join("a");
        let staging = Staging::begin(&target).expect("a directory");
        write(&staging, "x").expect("a file");
        staging.finish().expect("it is moved");
        let staging = Staging::begin(&target).expect("a directory");
        write(&staging, "y").expect("a file");
        assert!(matches!(write(&staging, "y"), Err(Problem::Taken(_))), "it is there");
        assert!(matches!(write(&staging, "y/z"), Err(Problem::Taken(_))), "it is no directory");
        drop(staging);
        assert!(target.join("x").exists() && !target.join("y").exists());
        assert_eq!(fs::read_dir(place.path()).expect("a directory").count(), 1);
    }
}
