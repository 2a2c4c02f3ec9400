//! A registry that is a file: read when it changes, believed as it is.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::io::AsyncReadExt as _;

use super::error::FetchError;

/// The largest registry file: the official registry's whole list fits twice.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// What tells whether a file has changed. Editors and config maps replace files, hence the inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signature {
    modified: Option<SystemTime>,
    length: u64,
    inode: u64,
}

/// The file of a registry.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
}

impl File {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file as the public may see it: its name, without the directories that lead to it.
    pub(super) fn public_url(&self) -> String {
        format!("file:{}", self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    /// The file's present signature.
    pub(super) async fn signature(&self) -> Result<Signature, FetchError> {
        let metadata = tokio::fs::metadata(&self.path).await.map_err(|error| self.problem(&error.to_string()))?;
        if !metadata.is_file() {
            return Err(self.problem("it is not a file"));
        }
        Ok(Signature { modified: metadata.modified().ok(), length: metadata.len(), inode: inode(&metadata) })
    }

    /// The file's content.
    pub(super) async fn read(&self) -> Result<Vec<u8>, FetchError> {
        self.signature().await?;
        self.read_bounded().await.map_err(|error| self.problem(&error.to_string()))
    }

    async fn read_bounded(&self) -> std::io::Result<Vec<u8>> {
        let mut content = Vec::new();
        let file = tokio::fs::File::open(&self.path).await?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content).await?;
        if MAX_FILE_BYTES < content.len() as u64 {
            return Err(std::io::Error::other(format!("it has more than {MAX_FILE_BYTES} bytes")));
        }
        Ok(content)
    }

    /// Without the directories that lead to the file: this is shown to the public.
    fn problem(&self, reason: &str) -> FetchError {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        FetchError::File(format!("cannot read the file {name}: {reason}"))
    }
}

#[cfg(unix)]
fn inode(metadata: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &std::fs::Metadata) -> u64 {
    0
}
