//! `[store]` of the configuration: what outlives the process. So far that is the proxy's [`identity`]; the last
//! good listings are not kept yet, and nothing is kept in Redis.

pub mod identity;

use std::path::Path;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

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
