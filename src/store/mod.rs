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
//! What this does not do: keep files of registries that are files (they are read at each start), keep anything in
//! Redis, remove what belongs to registries that are no longer configured, or share listings between processes.

pub mod changes;
pub mod effects;
pub mod health;
pub mod identity;
pub mod listing;
pub mod problem;
pub mod restore;

mod aside;
mod directory;
mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod line;
mod servers;

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

pub use directory::{Store, Writing};
pub use health::{Health, StoreStatus};
pub use problem::Problem;

/// Where the store is unless the configuration says otherwise.
const DEFAULT_PATH: &str = "state/catalog";

/// `[store]` of the configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where on disk, relative to the working directory; `off` for nowhere; `state/catalog` by default.
    pub path: Option<String>,
    /// A Redis to share listings through, in place of the disk. It may hold a password.
    pub url: Option<SecretString>,
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
        self.path == other.path && url(self) == url(other)
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
        if self.url.as_ref().is_some_and(|url| !is_redis_url(url.expose_secret())) {
            problems.push(("url", "is not a Redis URL; write redis://host:port or rediss://host:port".to_owned()));
        }
        problems
    }
}

fn is_redis_url(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "redis" | "rediss") && url.has_host())
}
