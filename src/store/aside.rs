//! Files that this release cannot read are set aside, not overwritten: another release may read them, or somebody
//! may want to know what became of them.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::format;
use super::problem::Problem;

/// The most files that are set aside of one file. Of damaged ones, the oldest makes room for the next.
const MAX_ASIDE: usize = 3;

/// Gives a file another name beside it.
pub(super) fn set_aside(path: &Path) -> Result<(), Problem> {
    let names: Vec<PathBuf> = (1..=MAX_ASIDE).map(|number| name(path, number)).collect();
    let is_free = |name: &&PathBuf| fs::symlink_metadata(name).is_err();
    let damaged = || names.iter().filter(|name| is_damaged(name)).min_by_key(|name| modified(name));
    let name = names.iter().find(is_free).or_else(damaged).ok_or(Problem::NoRoom(MAX_ASIDE))?;
    fs::rename(path, name).map_err(|error| Problem::Inaccessible { action: "set aside", error })?;
    tracing::warn!(path = %path.display(), aside = %name.display(), "a file that cannot be read was set aside");
    Ok(())
}

/// `NAME.unreadable`, `NAME.unreadable-2`, …
fn name(path: &Path, number: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".unreadable");
    if number > 1 {
        name.push(format!("-{number}"));
    }
    name.into()
}

/// Whether a file was set aside because no release could read it.
fn is_damaged(path: &Path) -> bool {
    let mut head = Vec::new();
    let file = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).and_then(|_| fs::File::open(path).ok());
    let read = file.map(|file| file.take(format::MAX_HEAD_BYTES).read_to_end(&mut head));
    matches!(read, Some(Ok(_))) && !format::is_of_another_release(&head)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}
