//! Paths as people write them.

use std::path::Path;

/// A path as somebody in the working directory would write it.
pub(super) fn relative(path: &Path) -> &Path {
    std::env::current_dir().ok().and_then(|directory| path.strip_prefix(directory).ok()).unwrap_or(path)
}
