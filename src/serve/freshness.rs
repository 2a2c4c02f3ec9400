//! How far answers out of the catalog of the moment can be trusted, and the headers that say so: made once for each
//! catalog, not for every request.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::coding::Coding;
use super::respond::{Responder, header};
use crate::catalog::lineage::Lineage;
use crate::catalog::{Catalog, Participant};
use crate::registry::LINEAGE_HEADER;

/// RFC 9209.
const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");

/// How far an answer out of the catalog can be trusted to be whole and new.
#[derive(Debug, Default)]
pub(super) struct Freshness {
    revision: u64,
    /// Not every registry has been asked yet: lists may be a part.
    pub(super) is_partial: bool,
    /// Since when nobody has confirmed a part of what it may hold.
    pub(super) stale_since: Option<Timestamp>,
    /// Whose content it passes on.
    lineage: Option<Arc<Lineage>>,
    /// The headers of a 200, by coding, and of a 304.
    heads: [HeaderMap; 4],
    not_modified: HeaderMap,
}

impl Freshness {
    /// That of what is always the same.
    pub(super) fn timeless(responder: &Responder) -> Self {
        Self::default().with_heads(responder, |_| {})
    }

    /// That of a catalog; `named` is the header that names us and those whose content we pass on.
    pub(super) fn of(
        catalog: &Catalog,
        is_partial: bool,
        lineage: Arc<Lineage>,
        named: &HeaderValue,
        responder: &Responder,
    ) -> Self {
        let troubled: Vec<String> = catalog.troubled().map(to_blame).collect();
        let proxy_status = (!troubled.is_empty()).then(|| header(&troubled.join(", ")));
        let (revision, stale_since, lineage) = (catalog.revision, catalog.stale_since(), Some(lineage));
        let freshness = Self { revision, is_partial, stale_since, lineage, ..Self::default() };
        freshness.with_heads(responder, |head| {
            head.insert(LINEAGE_HEADER, named.clone());
            if let Some(proxy_status) = &proxy_status {
                head.insert(PROXY_STATUS, proxy_status.clone());
            }
        })
    }

    fn with_heads(mut self, responder: &Responder, add: impl Fn(&mut HeaderMap)) -> Self {
        let head = |coding| {
            let mut head = responder.head(&self, coding);
            add(&mut head);
            head
        };
        (self.heads, self.not_modified) = (Coding::ALL.map(|coding| head(Some(coding))), head(None));
        self
    }

    /// Whether it is what [`Freshness::of`] would say.
    pub(super) fn is_of(&self, catalog: &Catalog, is_partial: bool, lineage: &Arc<Lineage>) -> bool {
        (self.revision, self.is_partial) == (catalog.revision, is_partial)
            && self.lineage.as_ref().is_some_and(|known| Arc::ptr_eq(known, lineage))
    }

    /// The headers of a 200 in a coding.
    pub(super) fn head_of(&self, coding: Coding) -> &HeaderMap {
        &self.heads[coding as usize]
    }

    /// The headers of a 304.
    pub(super) fn head_of_not_modified(&self) -> &HeaderMap {
        &self.not_modified
    }
}

/// How `Proxy-Status` names a registry whose servers are not served, or not as fresh as they should be.
fn to_blame(registry: &Participant) -> String {
    format!("mcp-registry-proxy; error=destination_unavailable; next-hop=\"{}\"", registry.rules.name)
}
