//! The parts of the proxy over made-up registries, without a socket, a thread or a clock.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, Request, Response};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::current::Current;
use mcp_registry_proxy::catalog::lineage::ProxyId;
use mcp_registry_proxy::catalog::listing::{Listing, ListingBuilder};
use mcp_registry_proxy::catalog::merge::{Moment, Policy, Source, merge};
use mcp_registry_proxy::catalog::rules::RegistryRules;
use mcp_registry_proxy::registry::wire::{self, Page};
use mcp_registry_proxy::serve::{
    Body, Configuration, Core, Door, Entrance, ReadThrough, Service, ServiceSettings, Visibility,
};

/// When everything here happens, in 2020: past by any clock, so what answers say of it does not depend on one.
pub(crate) const NOW: Timestamp = Timestamp::constant(1_577_836_800, 0);
/// What rendered bodies may take, as by default.
pub(crate) const CACHE_BYTES: u64 = 64 << 20;

const URL: &str = "https://registry.example/v0.1/servers";
/// The `_meta` key of our provenance, as by default.
pub(crate) const PROVENANCE_KEY: &str = "mcp-registry-proxy/provenance";
const MAX_ENTRY_BYTES: usize = 1 << 20;

/// Decodes a page, as a walk of a registry that listed `previous` does.
#[must_use]
pub(crate) fn decode(page: &str, previous: Option<&Listing>) -> Page {
    let context = wire::Context { now: NOW, provenance_key: PROVENANCE_KEY, previous, max_entry_size: MAX_ENTRY_BYTES };
    wire::decode(page.as_bytes(), &context).expect("a made-up page is a page")
}

/// What a walk over these pages brings.
#[must_use]
pub(crate) fn walk(pages: impl IntoIterator<Item = impl AsRef<str>>) -> Listing {
    let mut builder = ListingBuilder::new(URL.into(), None);
    for page in pages {
        let page = decode(page.as_ref(), None);
        assert_eq!(page.refused.count, 0, "a made-up entry is an entry");
        for (name, entry) in page.entries {
            builder.insert(&name, entry);
        }
    }
    builder.snapshot()
}

/// A registry's part in a merge.
#[must_use]
pub(crate) fn source(name: &str, listing: impl Into<Arc<Listing>>) -> Source {
    let rules = RegistryRules::new(name, &[], &[], &[]).expect("no patterns, none wrong");
    Source { rules: Arc::new(rules), usable: true, stale_since: None, is_partial: false, listing: Some(listing.into()) }
}

/// The catalog that follows `previous`, while clients synchronise.
#[must_use]
pub(crate) fn merged(policy: &Policy, sources: &[Source], previous: &Catalog) -> Catalog {
    merge(policy, sources, previous, Moment { now: NOW, is_ready: true })
}

/// Where requests to the public listener come in.
#[must_use]
pub(crate) fn entrance(catalog: Arc<Catalog>) -> Entrance {
    let current = Arc::new(Current::default());
    current.publish(catalog);
    current.set_ready();
    let read_through = ReadThrough::new(Box::new(|_| unreachable!("no registry is asked for anything")), 1);
    let core = Core::new(current, Arc::new(Configuration::new(NOW)), Arc::new(read_through), CACHE_BYTES);
    let settings = ServiceSettings {
        door: Door::Public(vec!["*".to_owned()]),
        max_age: Duration::from_secs(30),
        visibility: Visibility::Public,
        shows_urls: true,
        read_through: None,
        own_id: ProxyId::new("made-up").expect("letters and a dash"),
    };
    Entrance::new(Service::new(core, Vec::new(), &settings))
}

/// A request for a path and query.
#[must_use]
pub(crate) fn get(target: &str, headers: &[(HeaderName, &str)]) -> Parts {
    let request = Request::get(target).header(http::header::HOST, "127.0.0.1:8080");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(name, *value));
    request.body(()).expect("a request").into_parts().0
}

/// Asks. What needs no registry and no encoder is answered at once, in the thread that asks.
pub(crate) fn ask(entrance: &Entrance, request: Parts) -> Response<Body> {
    at_once(entrance.handle(request).response())
}

/// The bytes of an answer.
#[must_use]
pub(crate) fn body(response: Response<Body>) -> Bytes {
    let Ok(collected) = at_once(response.into_body().collect());
    collected.to_bytes()
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("it waits for something"),
    }
}

/// Requests for a page of so many entries that nobody has asked for, each from another place in the list: there is one
/// for every tenth of what `query` asks for.
#[must_use]
pub(crate) fn new_pages(entrance: &Entrance, query: &str, limit: usize) -> Vec<Parts> {
    let mut requests = Vec::new();
    let mut target = format!("/v0.1/servers?limit=10&{query}");
    loop {
        let page = body(ask(entrance, get(&target, &[])));
        let text = std::str::from_utf8(&page).expect("JSON is UTF-8");
        let Some((_, rest)) = text.rsplit_once("\"nextCursor\":\"") else { return requests };
        let (cursor, _) = rest.split_once('"').expect("a text ends");
        requests.push(get(&format!("/v0.1/servers?limit={limit}&cursor={cursor}"), &[]));
        target = format!("/v0.1/servers?limit=10&cursor={cursor}");
    }
}

/// Whether an answer was rendered for whoever asked, and not in the cache.
#[must_use]
pub(crate) fn is_rendered(response: &Response<Body>) -> bool {
    response.headers().get("cache-status").is_some_and(|status| status.as_bytes().ends_with(b"detail=rendered"))
}
