//! Which of two servers is the more established one: the one that more registries list; of equals, the one that was
//! there first; of equals, the one with more versions; and in the end the one whose name comes first.
//!
//! All of it is what registries say. Whoever runs one can make a server look old and much published, but not make
//! others list it: so that counts first.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::catalog::Server;
use crate::catalog::entry::Name;

/// How established a server is. The lesser one is the more established.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight {
    registries: Reverse<usize>,
    published_at: Timestamp,
    versions: Reverse<usize>,
    name: Name,
}

impl Weight {
    pub(super) fn of(server: &Server) -> Self {
        let registries = server.contributions.iter().filter(|contribution| contribution.counts()).count();
        let published = server.versions.iter().map(|version| version.entry.published_at());
        Self {
            registries: Reverse(registries),
            published_at: published.min().unwrap_or_default(),
            versions: Reverse(server.versions.len()),
            name: server.name.clone(),
        }
    }

    /// When its first version was published.
    pub(super) fn published_at(&self) -> Timestamp {
        self.published_at
    }
}
