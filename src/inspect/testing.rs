//! Catalogs for the tests of this module: registries, and what they list.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::catalog::Catalog;
use crate::catalog::entry::{Digest, Entry, Form, Name, Official, Parts, Status};
use crate::catalog::facets::Facets;
use crate::catalog::listing::ListingBuilder;
use crate::catalog::merge::{Moment, Policy, Source, merge};
use crate::catalog::rules::RegistryRules;

/// One version in the making.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    server: Value,
    published_at: i64,
}

impl Listed {
    pub(super) fn new(name: &str, version: &str) -> Self {
        Self { server: json!({ "name": name, "description": "d", "version": version }), published_at: 1_000 }
    }

    /// Sets a member of `server`.
    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.server[key] = value.into();
        self
    }

    /// Run from one package.
    pub(super) fn package(self, kind: &str, identifier: &str) -> Self {
        self.with("packages", json!([{ "registryType": kind, "identifier": identifier }]))
    }

    /// Reached at one URL.
    pub(super) fn remote(self, url: &str) -> Self {
        self.with("remotes", json!([{ "type": "streamable-http", "url": url }]))
    }

    /// Built from one repository.
    pub(super) fn repository(self, url: &str) -> Self {
        self.with("repository", json!({ "url": url, "source": "github" }))
    }

    pub(super) fn published_at(self, second: i64) -> Self {
        Self { published_at: second, ..self }
    }

    fn entry(&self) -> (Name, Arc<Entry>) {
        let mut content = self.server.clone();
        content.as_object_mut().expect("an object").shift_remove("_meta");
        let digest = Sha256::digest(content.to_string());
        let at = Timestamp::from_second(self.published_at).expect("in range");
        let mut form = [0; 16];
        form.copy_from_slice(&digest[..16]);
        let parts = Parts {
            server: self.server.to_string().into(),
            official: Official { status: Status::Active, published_at: at, updated_at: at, rendered: "".into() },
            extra_meta: String::new(),
            upstream: None,
            legacy_ids: None,
            digest: Digest(digest.into()),
            form: Form(form),
            facets: Facets::new([]),
            fetched_at: at,
        };
        let name = Name::new(self.server["name"].as_str().expect("a name")).expect("a name");
        (name, Arc::new(Entry::new(parts).expect("it has a name and a version")))
    }
}

/// A registry: its name, its namespaces, whether it is usable, and what it lists.
pub(super) type Registry<'a> = (&'a str, &'a [&'a str], bool, Vec<Listed>);

/// The catalog of some registries, in configuration order.
pub(super) fn catalog(registries: &[Registry<'_>]) -> Catalog {
    let source = |(name, namespaces, usable, listed): &Registry<'_>| {
        let namespaces: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
        let mut listing = ListingBuilder::new("https://x.example".into(), None);
        listed.iter().map(Listed::entry).for_each(|(name, entry)| listing.insert(&name, entry));
        Source {
            rules: Arc::new(RegistryRules::new(name, &namespaces, &[], &[]).expect("valid patterns")),
            usable: *usable,
            stale_since: None,
            is_partial: false,
            listing: Some(Arc::new(listing.snapshot())),
        }
    };
    let sources: Vec<Source> = registries.iter().map(source).collect();
    let moment = Moment { now: Timestamp::UNIX_EPOCH, is_ready: false };
    merge(&Policy::default(), &sources, &Catalog::default(), moment)
}
