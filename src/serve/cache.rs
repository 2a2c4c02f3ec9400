//! Rendered bodies, kept by (revision, canonical request), bounded by bytes.
//!
//! There is no invalidation: a new catalog has a new revision, and what nobody asks for any more leaves
//! as the least recently used. Errors are not kept; they are cheap.

use bytes::Bytes;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::query::ListQuery;
use crate::catalog::page::VersionFilter;

/// What a rendered entry costs besides its body.
const OVERHEAD_BYTES: usize = 256;

/// A request whose answer depends on the catalog alone, in canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Request {
    List(ListQuery),
    Versions { name: String, include_deleted: bool },
    Version { name: String, version: String, include_deleted: bool },
}

impl Request {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::List(query) => {
                let search = query.filter.search.as_deref().map_or(0, str::len);
                let version = match &query.filter.version {
                    VersionFilter::Exact(version) => version.len(),
                    VersionFilter::Any | VersionFilter::Latest => 0,
                };
                let after = query.after.as_ref();
                let after = after.map_or(0, |after| after.name.len() + after.version.as_deref().map_or(0, str::len));
                search + version + after
            }
            Self::Versions { name, .. } => name.len(),
            Self::Version { name, version, .. } => name.len() + version.len(),
        }
    }
}

/// The cache of rendered bodies.
#[derive(Debug)]
pub(super) struct ResponseCache(Cache<(u64, Request), Bytes>);

impl ResponseCache {
    pub(super) fn new(max_bytes: u64) -> Self {
        let weigh = |(_, request): &(u64, Request), body: &Bytes| {
            u32::try_from(OVERHEAD_BYTES + request.heap_bytes() + body.len()).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(max_bytes).weigher(weigh).eviction_policy(EvictionPolicy::lru()).build())
    }

    /// The body for a request, rendered unless it is there. Two requests that miss at the same time both
    /// render: that takes microseconds, and neither waits for the other.
    pub(super) fn get_or_render<E>(
        &self,
        revision: u64,
        request: Request,
        render: impl FnOnce(&Request) -> Result<Vec<u8>, E>,
    ) -> Result<Bytes, E> {
        let key = (revision, request);
        if let Some(body) = self.0.get(&key) {
            return Ok(body);
        }
        let body = Bytes::from(render(&key.1)?);
        self.0.insert(key, body.clone());
        Ok(body)
    }
}
