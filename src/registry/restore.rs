//! What of a registry outlives the process, and how it is taken up again: the last good listing and what belongs
//! to it. How it is kept, `store` knows.
//!
//! A listing belongs to a name and a URL, and to the `provenance.key` that it was read with. A registry that is a
//! file has nothing to keep: the file is read at each start, and believed as it is.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::endpoint::public_url;
use super::marks::Marks;
use super::status::Status;
use super::wire::RefusedEntries;
use super::{Origin, Registry};
use crate::catalog::lineage::Lineage;
use crate::catalog::listing::Listing;

/// A registry's last good listing, and what belongs to it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The registry's name.
    pub registry: String,
    /// Identifies the URL that it was fetched from.
    pub list: ListDigest,
    /// The `_meta` key of our provenance at that time: what it held was taken out of the entries.
    pub provenance_key: String,
    /// The listing, with its URL as the public may see it.
    pub listing: Arc<Listing>,
    /// When the registry last confirmed it.
    pub listed_at: Timestamp,
    /// How far its walks had come.
    pub marks: Marks,
    /// The entries that were left out.
    pub refused: RefusedEntries,
    /// The proxies behind the registry: whoever sees the listing sees them.
    pub lineage: Lineage,
}

/// Identifies the URL of a list, its query included and its user information left out. Nobody but the proxy may
/// read it: it would show when a URL has been guessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListDigest(pub [u8; 32]);

impl ListDigest {
    pub(super) fn new(registry: &str, url: &Url) -> Self {
        let mut hash = Sha256::new();
        for part in [registry, &public_url(url), url.query().unwrap_or_default()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

/// What there is to keep of a registry.
#[derive(Clone, Debug)]
pub enum ToKeep {
    /// Nothing yet.
    Nothing,
    /// Nothing, and what was kept is no good: it may hold what we serve.
    Tainted,
    /// This.
    Listing(Box<Stored>),
}

/// Why a stored listing is not this registry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The file was renamed.
    #[error("it is the listing of a registry of another name")]
    Name,
    /// The configuration has changed.
    #[error("it was fetched from another URL; the registry starts anew")]
    Url,
    /// The configuration has changed.
    #[error("it was fetched under another `provenance.key`; the registry starts anew")]
    ProvenanceKey,
    /// It is too late.
    #[error("the registry has listed something already")]
    Late,
}

impl Registry {
    /// What there is to keep of it now.
    #[must_use]
    pub fn to_keep(&self) -> ToKeep {
        let lineage = self.lineage(true);
        let status = self.status();
        if status.loops.is_listing_tainted {
            return ToKeep::Tainted;
        }
        let (Some(listing), Some(listed_at)) = (&status.listing, status.listed_at) else { return ToKeep::Nothing };
        let Some(url) = self.list_urls().find(|url| public_url(url) == *listing.url) else { return ToKeep::Nothing };
        ToKeep::Listing(Box::new(Stored {
            registry: self.name().to_owned(),
            list: ListDigest::new(self.name(), &url),
            provenance_key: self.settings.provenance_key.to_string(),
            listing: Arc::clone(listing),
            listed_at,
            marks: status.marks,
            refused: status.refused.clone(),
            lineage: lineage.as_ref().clone(),
        }))
    }

    /// Takes up what was kept, as if it had been fetched then. A base URL's list is looked for first where it was.
    ///
    /// # Errors
    /// When it is not of this registry as it is configured now.
    pub fn restore(&self, stored: Stored, now: Timestamp) -> Result<(), Mismatch> {
        if stored.registry != self.name() {
            return Err(Mismatch::Name);
        }
        let is_its =
            |url: &Url| ListDigest::new(self.name(), url) == stored.list && public_url(url) == *stored.listing.url;
        let url = self.list_urls().find(is_its).ok_or(Mismatch::Url)?;
        if stored.provenance_key != *self.settings.provenance_key {
            return Err(Mismatch::ProvenanceKey);
        }
        // Before the listing: whose content it is has to be known when it is published.
        self.lineage.restore(stored.lineage.clone());
        if !self.status().restore(stored, now) {
            return Err(Mismatch::Late);
        }
        if let Origin::Http(http) = &self.source {
            http.settle_on(url);
        }
        self.changed.notify_one();
        Ok(())
    }

    /// Where its list may be; nowhere, where it is a file.
    pub(super) fn list_urls(&self) -> impl Iterator<Item = Url> {
        let urls = match &self.source {
            Origin::Http(http) => Some(http.candidates()),
            Origin::File(_) => None,
        };
        urls.into_iter().flat_map(|(first, others)| std::iter::once(first).chain(others))
    }
}

impl Status {
    /// Takes up what was kept, unless something was listed meanwhile. Says whether it did.
    fn restore(&mut self, stored: Stored, now: Timestamp) -> bool {
        if self.served_listing().is_some() || self.loops.found > 0 {
            return false;
        }
        // A clock that was set back makes nothing younger, and skips nothing.
        let is_past = |at: &Timestamp| *at <= now;
        self.marks = stored.marks;
        self.marks.watermark = self.marks.watermark.filter(is_past);
        self.marks.walked_at = self.marks.walked_at.filter(is_past);
        self.listing = Some(stored.listing);
        self.listed_at = Some(stored.listed_at.min(now));
        self.refused = stored.refused;
        self.is_restored = true;
        self.attempted = true;
        true
    }
}
