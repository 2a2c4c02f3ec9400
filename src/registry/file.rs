//! A registry that is a file: read when it changes, believed as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

use super::error::{FetchError, is_want_of_descriptors};
use super::probe::{Check, Timing};
use super::status::SyncReport;
use super::tally::SyncKind;
use super::wire::Page;
use super::{Origin, Registry};
use crate::catalog::listing::{Listing, ListingBuilder};
use crate::files::Signature;

/// The largest registry file: the official registry's whole list fits twice.
const MAX_FILE_BYTES: u64 = 256 << 20;

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
        let metadata = tokio::fs::metadata(&self.path).await.map_err(|error| self.problem(&error))?;
        if !metadata.is_file() {
            return Err(self.problem(&std::io::Error::other("it is not a file")));
        }
        Ok(Signature::of(&metadata))
    }

    /// The file's content.
    pub(super) async fn read(&self) -> Result<Vec<u8>, FetchError> {
        self.signature().await?;
        self.read_bounded().await.map_err(|error| self.problem(&error))
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
    fn problem(&self, reason: &std::io::Error) -> FetchError {
        if is_want_of_descriptors(reason) {
            return FetchError::NoDescriptor;
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        FetchError::File(format!("cannot read the file {name}: {reason}"))
    }
}

/// Which version of its file a registry has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion(Signature);

/// What [`Registry::load_file`] did.
#[derive(Debug)]
pub struct FileLoad {
    /// The check, unless the file was as it had been.
    pub check: Option<Check>,
    /// The version that has been read, to pass as `last` next time.
    pub version: Option<FileVersion>,
}

impl Registry {
    /// Reads a file registry if it has changed since `last`, and takes over what it lists.
    pub async fn load_file(&self, last: Option<FileVersion>) -> FileLoad {
        let Origin::File(file) = &self.source else { return FileLoad { check: None, version: None } };
        let started = Instant::now();
        let signature = match file.signature().await {
            Ok(signature) if last == Some(FileVersion(signature)) => return FileLoad { check: None, version: last },
            signature => signature,
        };
        let previous = self.status().listing.clone();
        let body = match &signature {
            Ok(_) => file.read().await,
            Err(error) => Err(error.clone()),
        };
        let mut timing = Timing { exchange: started.elapsed(), ..Timing::default() };
        let is_read = body.is_ok();
        let decoding = Instant::now();
        let page = match body {
            Ok(body) => self.decode(body, previous.clone()).await,
            Err(error) => Err(error),
        };
        let page = page.and_then(|page| page.check_recognised().map(|()| page).map_err(Into::into));
        timing.decode = decoding.elapsed();
        let check = Check::new(Timestamp::now(), timing, page.as_ref().map(|_| ()));
        self.count_sync(SyncKind::File, page.is_ok());
        if let Ok(page) = page {
            tracing::debug!(registry = self.name(), path = %file.path().display(), "read the registry file");
            self.take_file(page, previous);
        }
        // What could not be read is tried again although it looks the same: its rights may have changed.
        let version = signature.ok().filter(|_| is_read).map(FileVersion);
        FileLoad { check: Some(check), version }
    }

    fn take_file(&self, page: Page, previous: Option<Arc<Listing>>) {
        let started_at = Timestamp::now();
        let mut builder = ListingBuilder::new(self.url().into(), previous);
        for (name, entry) in page.entries {
            builder.insert(&name, entry);
        }
        let sync = SyncReport::finished(started_at, Timestamp::now(), 1, builder.versions());
        // A file names no proxies, so it is never found to be a loop.
        let loops = self.status().loops.found;
        let _ = self.accept(builder.snapshot(), page.refused, sync, loops);
    }
}
