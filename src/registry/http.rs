//! A registry that is asked over HTTP: its client, its gate, and the endpoint that it turned out to have.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use url::Url;

use super::client::{Answer, Client};
use super::config::HttpTarget;
use super::crawl::PageQuery;
use super::endpoint::{Endpoint, public_url};
use super::error::{FetchError, Stage};
use super::gate::Gate;
use super::limits::Limits;
use super::lineage::LineageWatch;
use super::network::Network;
use super::probe::{Teller, Timing};
use super::revalidate::Remembered;
use super::wire::Page;

/// What a test asks for: more than one entry, because one may be a bad one.
const PROBE_QUERY: &[(&str, &str)] = &[("limit", "3")];

/// Asks one registry over HTTP: one request at a time.
pub(super) struct HttpOrigin {
    pub(super) client: Client,
    gate: Gate,
    /// How long one page may take.
    page_timeout: Duration,
    /// What the configuration says of the endpoint.
    configured: Endpoint,
    /// The list endpoint, once it is known.
    known: Mutex<Option<Url>>,
    remembered: Mutex<Remembered>,
}

impl fmt::Debug for HttpOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("HttpOrigin").field("list", &self.list_url()).finish_non_exhaustive()
    }
}

impl HttpOrigin {
    pub(super) fn new(
        target: HttpTarget,
        max_rate: f64,
        limits: Limits,
        network: &Network,
        lineage: Arc<LineageWatch>,
    ) -> Result<Self, reqwest::Error> {
        let configured = target.endpoint.clone();
        let known = match &configured {
            Endpoint::List(url) => Some(url.clone()),
            Endpoint::Candidates(_) => None,
        };
        let client = Client::new(target, limits, network, lineage)?;
        let page_timeout = limits.request_timeout;
        let (known, remembered) = (Mutex::new(known), Mutex::default());
        Ok(Self { client, gate: Gate::new(max_rate), page_timeout, configured, known, remembered })
    }

    /// Where the list is: the first place that is possible, while none is known.
    pub(super) fn list_url(&self) -> ListUrl {
        let first = match &self.configured {
            Endpoint::List(url) | Endpoint::Candidates([url, _]) => url,
        };
        ListUrl(self.known().unwrap_or_else(|| first.clone()))
    }

    /// The endpoint to try first, and the others. A base URL's known endpoint comes first and the other one
    /// after it: registries move from one API version to the next.
    pub(super) fn candidates(&self) -> (Url, Vec<Url>) {
        let first = self.list_url().0;
        let others = match &self.configured {
            Endpoint::List(_) => Vec::new(),
            Endpoint::Candidates(urls) => urls.iter().filter(|url| **url != first).cloned().collect(),
        };
        (first, others)
    }

    /// Remembers the endpoint that is a registry's list.
    pub(super) fn settle_on(&self, url: Url) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(url);
    }

    /// Takes over the endpoint that its predecessor found, and where its name led.
    pub(super) fn take_over(&self, predecessor: &Self) {
        self.client.take_over(&predecessor.client);
        if let Some(url) = predecessor.known() {
            self.settle_on(url);
        }
    }

    fn known(&self) -> Option<Url> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks for a few entries over a new connection, and tells how far it has come.
    pub(super) async fn probe(
        &self,
        url: &Url,
        deadline: Instant,
        teller: &mut Teller<'_>,
    ) -> (Timing, Result<Vec<u8>, FetchError>) {
        let waiting = Instant::now();
        let Ok(mut pass) = timeout_at(deadline, self.gate.enter()).await else {
            // One request at a time: the page that is in the way has had as long as a probe may take.
            let waited = waiting.elapsed();
            let busy = self.gate.busy_for().filter(|busy| waited <= *busy);
            let timing = Timing { exchange: waited, ..Timing::default() };
            return (timing, Err(busy.map_or(FetchError::NoRoom, FetchError::Busy)));
        };
        let started = Instant::now();
        teller.begin(public_url(url));
        let left = deadline.saturating_duration_since(started);
        let (connect, answer) = self.client.probe(&with_query(url, PROBE_QUERY), left, &mut pass, teller).await;
        drop(pass);
        let timing = Timing { connect, exchange: started.elapsed(), decode: Duration::ZERO };
        if answer.is_ok() {
            teller.pass(Stage::Response, timing.response());
        }
        (timing, answer.map(|answer| answer.body.unwrap_or_default()))
    }

    /// Asks for one page of the list, unless it is still what it was.
    pub(super) async fn page(&self, list: &ListUrl, query: &PageQuery) -> Result<Answer, FetchError> {
        let url = page_url(&list.0, query);
        let tag = self.tag(list, query);
        let mut pass = self.gate.enter().await;
        self.client.fetch(&url, tag.as_deref(), self.page_timeout, &mut pass).await
    }

    /// The tag of a page that is remembered.
    pub(super) fn tag(&self, list: &ListUrl, query: &PageQuery) -> Option<String> {
        self.remembered().tag(&page_url(&list.0, query)).map(str::to_owned)
    }

    /// Remembers a page of a full walk by its tag, if it came with one.
    pub(super) fn remember(&self, list: &ListUrl, query: &PageQuery, tag: Option<String>, page: &Page) {
        if query.updated_since.is_none() {
            self.remembered().note(page_url(&list.0, query), tag, page);
        }
    }

    /// The page that is still what it was.
    pub(super) fn remembered_page(&self, list: &ListUrl, query: &PageQuery) -> Option<Page> {
        self.remembered().again(&page_url(&list.0, query))
    }

    /// What pages were, by their tags.
    pub(super) fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The URL of a registry's list. One walk keeps to one: its cursors mean nothing elsewhere.
#[derive(Clone)]
pub struct ListUrl(Url);

impl ListUrl {
    /// The URL as the public may see it.
    #[must_use]
    pub fn public(&self) -> String {
        public_url(&self.0)
    }
}

impl fmt::Debug for ListUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.public())
    }
}

fn page_url(endpoint: &Url, query: &PageQuery) -> Url {
    let updated_since = query.updated_since.map(|since| since.to_string());
    let mut pairs = vec![("limit", "100")];
    if query.include_deleted {
        pairs.push(("include_deleted", "true"));
    }
    pairs.extend(updated_since.as_deref().map(|since| ("updated_since", since)));
    pairs.extend(query.cursor.as_deref().map(|cursor| ("cursor", cursor)));
    with_query(endpoint, &pairs)
}

/// Adds parameters to whatever query the administrator gave the URL.
fn with_query(url: &Url, pairs: &[(&str, &str)]) -> Url {
    let mut url = url.clone();
    url.query_pairs_mut().extend_pairs(pairs);
    url
}
