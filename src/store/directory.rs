//! The store's directory: which file is whose, who may write, and how a file is replaced so that a crash at any
//! instant leaves the old one or the new one, whole.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::health::Health;
use super::problem::Problem;
use super::{Config, aside, changes, effects, listing};
use crate::catalog::effects::Effects;
use crate::catalog::feed::Kept;
use crate::files::{Signature, private};
use crate::registry::restore::Stored;

/// The directory in the store's.
const DIRECTORY: &str = "listings";
/// The file whose lock says who writes.
const LOCK: &str = "lock";
/// The file of the effects. No listing has a name without an extension.
const EFFECTS: &str = "effects";
/// The file of the feed of changes, likewise.
const CHANGES: &str = "changes";
/// What a file is called while it is written. Only one process writes, and one file at a time: so there is never
/// more than one left over, and the next write removes it.
const NEW: &str = "new";

/// The last good listings on disk.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    health: Arc<Health>,
    /// Whoever writes holds it.
    writer: Mutex<Writer>,
}

#[derive(Debug, Default)]
struct Writer {
    /// The file whose lock is ours.
    lock: Option<File>,
    /// What was read or written by this process, and so may be replaced.
    known: HashMap<PathBuf, Signature>,
}

impl Store {
    /// The store of the configuration, if it is on disk. Nothing is made yet.
    #[must_use]
    pub fn of(config: &Config) -> Option<Self> {
        let directory = config.directory()?.join(DIRECTORY);
        Some(Self { directory, health: Arc::default(), writer: Mutex::default() })
    }

    /// How it is doing.
    #[must_use]
    pub fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// Where a registry's listing is.
    #[must_use]
    pub fn listing_path(&self, registry: &str) -> PathBuf {
        self.directory.join(format!("{registry}.listing"))
    }

    /// Where the effects are.
    #[must_use]
    pub fn effects_path(&self) -> PathBuf {
        self.directory.join(EFFECTS)
    }

    /// Where the feed of changes is.
    #[must_use]
    pub fn changes_path(&self) -> PathBuf {
        self.directory.join(CHANGES)
    }

    /// The listing that was kept of a registry, if one was. So many threads read it.
    ///
    /// # Errors
    /// When there is a file and it gives no listing.
    pub fn read_listing(&self, registry: &str, threads: usize) -> Result<Option<Stored>, Problem> {
        self.read(&self.listing_path(registry), |file| listing::read(file, threads))
    }

    /// The effects that were kept, if they were.
    ///
    /// # Errors
    /// When there is a file and it gives none.
    pub fn read_effects(&self) -> Result<Option<Effects>, Problem> {
        self.read(&self.effects_path(), effects::read)
    }

    /// The feed of changes that was kept, if it was.
    ///
    /// # Errors
    /// When there is a file and it gives none.
    pub fn read_changes(&self) -> Result<Option<Kept>, Problem> {
        self.read(&self.changes_path(), changes::read)
    }

    fn read<T>(&self, path: &Path, read: impl FnOnce(File) -> Result<T, Problem>) -> Result<Option<T>, Problem> {
        let Some((file, signature)) = open(path)? else { return Ok(None) };
        let content = read(file)?;
        self.writer().known.insert(path.to_owned(), signature);
        Ok(Some(content))
    }

    /// Begins to write, alone. That it cannot be done is noted.
    ///
    /// # Errors
    /// When the directory cannot be made or locked, or another process writes there.
    pub fn begin(&self) -> Result<Writing<'_>, Problem> {
        let mut writer = self.writer();
        let path = self.directory.join(LOCK);
        // Somebody may have removed the directory, or put another in its place: there, the lock is not ours.
        if writer.lock.as_ref().is_some_and(|lock| !is_file_at(lock, &path)) {
            *writer = Writer::default();
        }
        if writer.lock.is_none() {
            match lock(&self.directory, &path) {
                Ok(lock) => writer.lock = Some(lock),
                Err(problem) => {
                    self.health.note_failure(&path, &problem);
                    return Err(problem);
                }
            }
        }
        self.health.note_recovery(&path);
        Ok(Writing { store: self, writer })
    }

    /// Forgets what is wrong with files of other registries than these.
    pub fn forget_all_but<'a>(&self, registries: impl Iterator<Item = &'a str>) {
        let listings = registries.map(|registry| self.listing_path(registry));
        let others = [LOCK, EFFECTS, CHANGES, NEW].map(|name| self.directory.join(name));
        self.health.forget_all_but(listings.chain(others));
    }

    /// Lets another process write.
    pub fn release(&self) {
        *self.writer() = Writer::default();
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an open file is the one that a path leads to.
fn is_file_at(file: &File, path: &Path) -> bool {
    let both = file.metadata().and_then(|ours| Ok((ours, fs::metadata(path)?)));
    both.is_ok_and(|(ours, theirs)| Signature::of(&ours).is_of_same_file(&Signature::of(&theirs)))
}

/// The right to write. What fails is noted; whoever writes needs to know only that it did.
pub struct Writing<'a> {
    store: &'a Store,
    writer: MutexGuard<'a, Writer>,
}

impl Writing<'_> {
    /// Keeps a listing.
    ///
    /// # Errors
    /// When it cannot be kept; what was kept before is still there.
    pub fn listing(&mut self, stored: &Stored) -> Result<(), Problem> {
        let path = self.store.listing_path(&stored.registry);
        self.put(&path, |out| listing::write(stored, out), |file| listing::read(file, 1).map(drop))
    }

    /// Keeps effects.
    ///
    /// # Errors
    /// When they cannot be kept; what was kept before is still there.
    pub fn effects(&mut self, effects: &Effects) -> Result<(), Problem> {
        let path = self.store.effects_path();
        self.put(&path, |out| effects::write(effects, out), |file| effects::read(file).map(drop))
    }

    /// Keeps the feed of changes.
    ///
    /// # Errors
    /// When it cannot be kept; what was kept before is still there.
    pub fn changes(&mut self, kept: &Kept) -> Result<(), Problem> {
        let path = self.store.changes_path();
        self.put(&path, |out| changes::write(kept, out), |file| changes::read(file).map(drop))
    }

    /// Forgets what was kept of a registry.
    ///
    /// # Errors
    /// When there is something that cannot be removed.
    pub fn remove_listing(&mut self, registry: &str) -> Result<(), Problem> {
        let path = self.store.listing_path(registry);
        let removed = self.remove(&path);
        self.note(&path, removed)
    }

    fn remove(&self, path: &Path) -> Result<(), Problem> {
        // What this release cannot read, it will not serve.
        if self.is_in_the_way(path, |file| listing::read(file, 1).map(drop))? {
            return Ok(());
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Problem::Inaccessible { action: "removed", error })
            }
            _ => sync_directory(&self.store.directory),
        }
    }

    fn put(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), Problem>,
        check: fn(File) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let put = self.replace(path, write, check);
        self.note(path, put)
    }

    fn note(&self, path: &Path, result: Result<(), Problem>) -> Result<(), Problem> {
        match &result {
            Ok(()) => self.store.health.note_success(path),
            Err(problem) => self.store.health.note_failure(path, problem),
        }
        result
    }

    fn replace(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<(), Problem>,
        check: fn(File) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let is_in_the_way = self.is_in_the_way(path, check)?;
        let new = New::create(self.store.directory.join(NEW))?;
        write(&mut BufWriter::new(&new.file))?;
        new.file.sync_all().map_err(Problem::written)?;
        if is_in_the_way {
            aside::set_aside(path)?;
        }
        let signature = Signature::of(&new.file.metadata().map_err(Problem::written)?);
        fs::rename(&new.path, path).map_err(Problem::written)?;
        self.writer.known.insert(path.to_owned(), signature);
        sync_directory(&self.store.directory)
    }

    /// Whether there is a file that this release cannot read: it may be good for another one, or for somebody who
    /// knows how to mend it.
    fn is_in_the_way(&self, path: &Path, check: fn(File) -> Result<(), Problem>) -> Result<bool, Problem> {
        let Some((file, signature)) = open(path)? else { return Ok(false) };
        if self.writer.known.get(path) == Some(&signature) {
            return Ok(false);
        }
        match check(file) {
            Ok(()) => Ok(false),
            Err(problem) if problem.is_of_the_system() => Err(problem),
            Err(_) => Ok(true),
        }
    }
}

/// A file that is being written. It is removed, unless it was given its name.
struct New {
    path: PathBuf,
    file: File,
}

impl New {
    fn create(path: PathBuf) -> Result<Self, Problem> {
        // What a crash has left. Where it cannot be removed, the next step says why.
        let _ = fs::remove_file(&path);
        // Listings of registries that ask for credentials are nobody else's business.
        let file = private().create_new(true).open(&path).map_err(Problem::written)?;
        Ok(Self { path, file })
    }
}

impl Drop for New {
    fn drop(&mut self) {
        // It fails where the file has another name by now.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens a file to read it, if there is one.
fn open(path: &Path) -> Result<Option<(File, Signature)>, Problem> {
    // Before it is opened: a pipe would keep us waiting. What a link leads to is not ours.
    match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.is_file() => return Err(Problem::NotAFile),
        Ok(_) => {}
    }
    let file = File::open(path)?;
    let signature = Signature::of(&file.metadata()?);
    Ok(Some((file, signature)))
}

/// Makes the directory, and takes its lock.
fn lock(directory: &Path, path: &Path) -> Result<File, Problem> {
    if !directory.is_dir() {
        fs::create_dir_all(directory).map_err(|error| Problem::Inaccessible { action: "made", error })?;
        if let Some(parent) = directory.parent() {
            sync_directory(parent)?;
        }
    }
    let file = private().create(true).truncate(false).open(path).map_err(Problem::written)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        // Where there are no locks, it is for the administrator to see that only one writes.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Problem::Locked),
        Err(TryLockError::Error(error)) => Err(Problem::Inaccessible { action: "locked", error }),
    }
}

/// Makes names last, too.
fn sync_directory(directory: &Path) -> Result<(), Problem> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Problem::written)
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
