//! `[store]` of the configuration: what outlives the process. On disk that is the proxy's [`identity`], and what a
//! warm restart needs: the last good listing of each registry that is asked over HTTP, since when versions count as
//! changed ([`effects`]), and what happened between catalogs ([`changes`]).
//!
//! | file in `store.path` | what |
//! |---|---|
//! | `proxy-id` | see [`identity`] |
//! | `listings/NAME.listing` | a registry's [`listing`], with the marks of its walks, its refused entries and the proxies behind it |
//! | `listings/effects` | see [`effects`] |
//! | `listings/changes` | see [`changes`] |
//! | `listings/lock` | empty; the process that holds its lock writes, others only read |
//! | `listings/new` | a file while it is written |
//! | `listings/….unreadable` | what stood in the place of a file of ours and could not be read; three at most |
//!
//! A file is written anew, synced and renamed, so a crash at any instant leaves the old one or the new one. It names
//! its format and the version of that, it is compressed, and it carries a checksum: one that is cut short, damaged or
//! of another release is told of and never overwritten. When something is written, `refresh::keep` decides. That it
//! cannot be (a full or read-only disk, another process) costs nothing but the next restart's speed.
//!
//! Where several replicas are one proxy, all that is in Redis instead: see [`shared`].
//!
//! What this does not do: keep files of registries that are files (they are read at each start), or remove what belongs
//! to registries that are no longer configured.

pub mod changes;
pub mod effects;
pub mod health;
pub mod identity;
pub mod listing;
pub mod problem;
pub mod restore;
pub mod shared;

mod aside;
mod directory;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod line;
mod servers;

use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::registry::duration;
pub use directory::{Store, Writing};
pub use health::{Health, StoreStatus};
pub use problem::Problem;

/// Where the store is unless the configuration says otherwise.
const DEFAULT_PATH: &str = "state/catalog";

/// `[store]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where on disk, relative to the working directory; `off` for nowhere; `state/catalog` by default.
    pub path: Option<String>,
    /// A Redis to share listings through, in place of the disk. It may hold a password.
    pub url: Option<SecretString>,
    /// What keys in Redis begin with, in braces: replicas with the same one are one proxy.
    pub prefix: String,
    /// How long a leader that is not heard of leads; after six times as long, replicas go on alone.
    #[serde(deserialize_with = "duration::required")]
    pub lease: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { path: None, url: None, prefix: "mcp-registry-proxy".to_owned(), lease: Duration::from_secs(10) }
    }
}

impl Config {
    /// The store's directory, if it is on disk.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        match (self.path.as_deref(), &self.url) {
            (Some("off"), _) | (None, Some(_)) => None,
            (path, _) => Some(Path::new(path.unwrap_or(DEFAULT_PATH))),
        }
    }

    /// Whether it is the same store.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        let url = |config: &Self| config.url.as_ref().map(|url| url.expose_secret().to_owned());
        self.path == other.path && url(self) == url(other) && (&self.prefix, self.lease) == (&other.prefix, other.lease)
    }

    /// The keys whose values make no sense, and why. The URL is not repeated: it may hold a password.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if self.path.is_some() && self.url.is_some() {
            problems.push(("url", "stands beside `path`; keep listings in one of the two".to_owned()));
        }
        if self.path.as_deref() == Some("") {
            problems.push(("path", "is empty; name a directory, or write \"off\"".to_owned()));
        }
        if let Some(problem) = self.url.as_ref().and_then(|url| shared::problem_with(url.expose_secret())) {
            problems.push(("url", problem.to_owned()));
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
        if !(1..=64).contains(&self.prefix.len()) || !self.prefix.bytes().all(is_plain) {
            problems.push(("prefix", "must be 1 to 64 of A-Z a-z 0-9 - _ . :".to_owned()));
        }
        if !(Duration::from_millis(200)..=Duration::from_mins(5)).contains(&self.lease) {
            problems.push(("lease", "must be between 200ms and 5m".to_owned()));
        }
        problems
    }
}
