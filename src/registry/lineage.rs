//! What a registry's answers say of the proxies behind it: the header `MCP-Registry-Proxy: ID, …`, with the id of
//! the proxy that answers and of all that it mirrors. Where our own id is among them, the registry lists what we
//! serve, and taking it in would feed us ourselves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::sync::Notify;

use super::error::FetchError;
use crate::catalog::lineage::{Lineage, ProxyId};

/// The header in which proxies name themselves and those whom they mirror.
pub const LINEAGE_HEADER: HeaderName = HeaderName::from_static("mcp-registry-proxy");

/// Keeps what the last answer of one registry said.
#[derive(Debug)]
pub(super) struct LineageWatch {
    /// Our own id; none for a mere test of a connection.
    own: Option<ProxyId>,
    last: ArcSwap<Lineage>,
    /// Told when it has changed.
    changed: Arc<Notify>,
}

impl LineageWatch {
    pub(super) fn new(own: Option<ProxyId>, changed: Arc<Notify>) -> Self {
        Self { own, last: ArcSwap::default(), changed }
    }

    /// What the last answer said. It stays while the registry is unhealthy, and also where it is refused: a ring
    /// in which everyone forgot whom he refuses would look mended to all, and they would take each other back.
    pub(super) fn last(&self) -> Arc<Lineage> {
        self.last.load_full()
    }

    /// Takes in the head of an answer, whatever its status.
    ///
    /// # Errors
    /// When it names our own id.
    pub(super) fn hear(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), FetchError> {
        // A proxy like ours names itself in every answer. An error without a name was written by something on
        // the way to the registry, and says nothing of what the registry mirrors.
        if status == StatusCode::OK || headers.contains_key(LINEAGE_HEADER) {
            let heard: Lineage = ids(headers).collect();
            if heard != **self.last.load() {
                self.last.store(Arc::new(heard));
                self.changed.notify_one();
            }
        }
        // Looked for in all that the header holds, also beyond what is kept of it.
        match &self.own {
            Some(own) if ids(headers).any(|id| id == *own) => Err(FetchError::Loop),
            _ => Ok(()),
        }
    }
}

/// The ids that a header names. What cannot be an id is passed over.
fn ids(headers: &HeaderMap) -> impl Iterator<Item = ProxyId> {
    let values = headers.get_all(LINEAGE_HEADER).into_iter();
    let parts = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    parts.filter_map(|part| ProxyId::new(std::str::from_utf8(part.trim_ascii()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn watch(own: &str) -> LineageWatch {
        LineageWatch::new(ProxyId::new(own), Arc::new(Notify::new()))
    }

    fn hear(watch: &LineageWatch, status: u16, values: &[&[u8]]) -> (bool, Vec<String>) {
        let value = |value: &&[u8]| (LINEAGE_HEADER, HeaderValue::from_bytes(value).expect("a header"));
        let status = StatusCode::from_u16(status).expect("a status");
        let is_loop = watch.hear(status, &values.iter().map(value).collect()).is_err();
        (is_loop, watch.last().ids().map(|id| id.as_str().to_owned()).collect())
    }

    #[test]
    fn ids_are_read_from_all_values_and_nonsense_is_passed_over() {
        let values: [&[u8]; 3] = [b" a ,\tb,, b,c d,\"e\"", b"\xff\xfe, f", b"g;h=1"];
        assert_eq!(hear(&watch("us"), 200, &values), (false, vec!["a".to_owned(), "b".to_owned(), "f".to_owned()]));
    }

    #[test]
    fn our_own_id_is_found_wherever_it_stands() {
        let many: Vec<u8> = (0..10_000).flat_map(|number| format!("{number}, ").into_bytes()).collect();
        let (is_loop, kept) = hear(&watch("us"), 200, &[&many, b"us"]);
        assert_eq!((is_loop, kept.len()), (true, 64));
        assert!(!hear(&watch("us"), 200, &[b"US, us1, u, s"]).0, "ids are compared to the byte");
        assert!(hear(&watch("us"), 503, &[b"them, us"]).0, "whatever the status");
    }

    #[test]
    fn every_answer_replaces_the_one_before_but_for_errors_that_name_nobody() {
        let watch = watch("us");
        assert_eq!(hear(&watch, 200, &[b"a, b"]).1, ["a", "b"]);
        assert_eq!(hear(&watch, 502, &[]).1, ["a", "b"]);
        assert_eq!(hear(&watch, 503, &[b"a"]).1, ["a"]);
        assert!(hear(&watch, 200, &[]).1.is_empty());
    }
}
