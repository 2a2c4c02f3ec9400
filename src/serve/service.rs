//! What answers requests: it finds out what is asked for, lets the parts of the wing make it, and dresses it. One
//! service for each listener and configuration; what outlives it is the [`Core`]'s.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response};

use super::admin::Access;
use super::api::View;
use super::cache::{self, CatalogRequest};
use super::coding::negotiate;
use super::condition::{Verdict, judge};
use super::cors::Cors;
use super::error::Problem;
use super::lineage::LineageHeader;
use super::read_through::Awaited;
use super::registries::{Registries, reason};
use super::representation::Representation;
use super::respond::{Answer, Freshness, Responder};
use super::route::{self, Route, route};
use super::{AdminConfig, Body, Core, ReadThroughSettings, Visibility, configuration, guard, query};
use crate::catalog::lineage::ProxyId;
use crate::registry::{LINEAGE_HEADER, Registry};

/// How long after the start lists are said to be a part, at most. A registry whose first walk never ends shall not
/// keep those who mirror this proxy from all the others.
const PARTIAL_LIMIT: Duration = Duration::from_mins(15);

/// The settings of the public service.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// Who is let in, and whose pages may read answers.
    pub door: Door,
    /// How long clients may keep answers.
    pub max_age: Duration,
    /// Whether shared caches may.
    pub visibility: Visibility,
    /// Whether registries' URLs are shown.
    pub shows_urls: bool,
    /// Whether and how registries are asked for what the catalog lacks.
    pub read_through: Option<ReadThroughSettings>,
    /// Our own id, by which other proxies know us.
    pub own_id: ProxyId,
}

/// Whom a service is for.
#[derive(Clone, Debug)]
pub enum Door {
    /// Everyone; pages of these origins may read answers.
    Public(Vec<String>),
    /// Those who run the proxy.
    Admin(AdminConfig),
}

/// How a request is answered.
pub(super) enum Answered {
    With(Response<Body>),
    /// With a body that clients may keep, in a coding to be chosen.
    Found(Found),
    /// With what registries will have said.
    Awaited(Box<Awaited>),
}

impl Answered {
    fn document(document: &Arc<Representation>) -> Self {
        let (representation, origin) = (Arc::clone(document), cache::Origin::Memory);
        Self::Found(Found { representation, request: None, origin, freshness: Arc::default() })
    }
}

/// A body that clients may keep, and where it was found.
pub(super) struct Found {
    pub(super) representation: Arc<Representation>,
    /// What the cache keeps it under, if it does.
    pub(super) request: Option<CatalogRequest>,
    pub(super) origin: cache::Origin,
    pub(super) freshness: Arc<Freshness>,
}

/// A body of the catalog's.
pub(super) struct Looked {
    representation: Arc<Representation>,
    origin: cache::Origin,
    freshness: Arc<Freshness>,
}

impl Looked {
    /// As the answer to the request that it was looked for.
    pub(super) fn of(self, request: CatalogRequest) -> Found {
        let Self { representation, origin, freshness } = self;
        Found { representation, request: Some(request), origin, freshness }
    }
}

/// Answers requests.
#[derive(Debug)]
pub struct Service {
    pub(super) core: Core,
    pub(super) registries: Vec<Arc<Registry>>,
    pub(super) responder: Responder,
    lineage: LineageHeader,
    /// The rules of the admin listener, if that is what the service is for.
    access: Option<Access>,
    pub(super) read_through: Option<ReadThroughSettings>,
    shows_urls: bool,
    /// Made anew only when a catalog is published.
    freshness: ArcSwap<Freshness>,
}

impl Service {
    /// A service of the registries, in configuration order.
    #[must_use]
    pub fn new(core: Core, registries: Vec<Arc<Registry>>, settings: &ServiceSettings) -> Self {
        let (origins, access) = match &settings.door {
            Door::Public(origins) => (Cors::new(origins), None),
            Door::Admin(config) => (Cors::Nobody, Some(Access::new(config))),
        };
        Self {
            core,
            registries,
            responder: Responder::new(origins, settings.max_age, settings.visibility),
            access,
            lineage: LineageHeader::new(settings.own_id.clone()),
            read_through: settings.read_through.clone(),
            shows_urls: settings.shows_urls,
            freshness: ArcSwap::default(),
        }
    }

    /// Answers one request. A panic is this request's alone.
    pub(super) async fn handle(&self, request: Parts) -> Response<Body> {
        let answered = guarded(request.uri.path(), pin!(self.respond(&request))).await;
        let response = answered.unwrap_or_else(|problem| self.responder.problem(&problem));
        self.finish(&request.headers, response)
    }

    async fn respond(&self, request: &Parts) -> Result<Response<Body>, Problem> {
        let administered = match &self.access {
            Some(access) => self.administer(access, request).await?,
            None => None,
        };
        let answered = match administered {
            Some(answered) => answered,
            None => self.answer(request)?,
        };
        match answered {
            Answered::With(response) => Ok(response),
            Answered::Found(found) => self.represent(request, found).await,
            // In a box, so that all the others need not carry what only this one takes.
            Answered::Awaited(awaited) => Box::pin(self.represent_awaited(request, *awaited)).await,
        }
    }

    /// Answers one request for which there is no room.
    pub(super) fn refuse(&self, request: &HeaderMap) -> Response<Body> {
        self.finish(request, self.responder.problem(&Problem::Overloaded))
    }

    /// Adds what every answer has.
    fn finish(&self, request: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
        self.responder.allow_origin(request, response.headers_mut());
        // After the catalog was read: whoever sees content of another proxy sees its id.
        response.headers_mut().insert(LINEAGE_HEADER, self.lineage.value(&self.core.current));
        response
    }

    /// Answers with a representation, in the coding that the client wants, or with less where it has that already.
    pub(super) async fn represent(&self, request: &Parts, found: Found) -> Result<Response<Body>, Problem> {
        let Found { representation, request: kept_under, origin, freshness } = found;
        let negotiated = negotiate(&request.headers, representation.body().len());
        let coding = negotiated.ok_or(Problem::NotAcceptable)?;
        let answer = Answer { representation: &representation, coding, origin, freshness: &freshness };
        match judge(&request.headers, &representation.tag, representation.modified()) {
            Verdict::Failed => return Err(Problem::PreconditionFailed),
            Verdict::NotModified => return Ok(self.responder.not_modified(answer)),
            Verdict::Send => {}
        }
        if let Some(body) = representation.ready(coding) {
            return Ok(self.responder.represented(answer, body));
        }
        let cache = self.core.cache.clone();
        let weigh = move |grown: &Arc<Representation>| {
            if let Some(request) = kept_under {
                cache.weigh_again(&request, grown);
            }
        };
        let body = representation.encode(coding, &self.core.encoders, weigh).await?;
        Ok(self.responder.represented(answer, body))
    }

    fn answer(&self, request: &Parts) -> Result<Answered, Problem> {
        guard::check(request)?;
        let (path, query) = (request.uri.path(), request.uri.query());
        if request.method == Method::OPTIONS {
            return Ok(Answered::With(self.responder.options(&request.headers, &route::allow(path))));
        }
        let include_deleted = || query::include_deleted(query);
        match route(&request.method, path)? {
            Route::List => self.find(CatalogRequest::List(query::list(query)?)),
            Route::Versions { name } => {
                self.find_or_ask(request, CatalogRequest::Versions { name, include_deleted: include_deleted()? })
            }
            Route::Version { name, version } => self
                .find_or_ask(request, CatalogRequest::Version { name, version, include_deleted: include_deleted()? }),
            Route::Ping => Ok(self.momentary("{\"pong\":true}\n")),
            Route::Build => Ok(self.momentary(build())),
            Route::Registries => Ok(self.momentary(self.describe(|registries| registries.list()))),
            Route::Registry { name } => {
                let body = self.describe(|registries| registries.one(&name));
                body.map(|body| self.momentary(body))
                    .ok_or_else(|| Problem::NotFound("No registry of that name is configured".into()))
            }
            Route::Health | Route::Live => Ok(self.momentary("{\"status\":\"ok\"}\n")),
            Route::Ready => self.with_view(|view| view.readiness()).map(|body| self.momentary(body)),
            Route::OpenapiYaml => Ok(Answered::document(&self.core.documents.yaml)),
            Route::OpenapiJson => Ok(Answered::document(&self.core.documents.json)),
            Route::Docs => Ok(Answered::document(&self.core.documents.page)),
        }
    }

    /// Finds the answer in the cache, or else renders it from the catalog.
    fn find(&self, request: CatalogRequest) -> Result<Answered, Problem> {
        Ok(Answered::Found(self.look(&request)?.of(request)))
    }

    /// The same for one name. What the catalog lacks, the registries may have.
    fn find_or_ask(&self, head: &Parts, request: CatalogRequest) -> Result<Answered, Problem> {
        match self.look(&request) {
            Ok(found) => Ok(Answered::Found(found.of(request))),
            Err(problem) => self.ask(head, request, problem).map(Box::new).map(Answered::Awaited),
        }
    }

    pub(super) fn look(&self, request: &CatalogRequest) -> Result<Looked, Problem> {
        self.with_view(|view| {
            let (representation, origin) =
                self.core.cache.get_or_render(view.catalog, request, |request| view.render(request))?;
            Ok(Looked { representation, origin, freshness: self.freshness(view) })
        })
    }

    pub(super) fn freshness(&self, view: View<'_>) -> Arc<Freshness> {
        let is_partial = !view.is_ready && self.core.started.elapsed() < PARTIAL_LIMIT;
        let known = self.freshness.load();
        if known.is_of(view.catalog, is_partial) {
            return Arc::clone(&known);
        }
        let freshness = Arc::new(Freshness::of(view.catalog, is_partial));
        self.freshness.store(Arc::clone(&freshness));
        freshness
    }

    pub(super) fn momentary(&self, body: impl Into<Bytes>) -> Answered {
        Answered::With(self.responder.momentary(body))
    }

    /// Lets a request see one catalog.
    pub(super) fn with_view<T>(&self, see: impl FnOnce(View<'_>) -> T) -> T {
        // In this order: whoever sees "ready" also sees a catalog that holds what made it so.
        let is_ready = self.core.current.is_ready();
        let catalog = self.core.current.load();
        let reason = |name: &str| {
            let registry = self.registries.iter().find(|registry| registry.name() == name);
            // The catalog may be from before a change of the configuration.
            registry.map_or_else(|| "no longer configured".to_owned(), |registry| reason(registry))
        };
        see(View { catalog: &catalog, is_ready, reason: &reason })
    }

    /// What became of the configuration; what is wrong with it in full, for those who may know.
    fn configuration(&self) -> configuration::State {
        let mut state = configuration::State::clone(&self.core.configuration.load());
        if let Some(refusal) = state.refused.as_mut().filter(|_| self.access.is_some()) {
            refusal.error.clone_from(&refusal.detail);
        }
        state
    }

    fn describe<T>(&self, show: impl FnOnce(Registries<'_>) -> T) -> T {
        let catalog = self.core.current.load();
        show(Registries {
            known: &self.registries,
            catalog: &catalog,
            configuration: &self.configuration(),
            shows_urls: self.shows_urls || self.access.is_some(),
        })
    }
}

/// Lets a panic be one request's alone, whatever it waited for before. Where the future stays, nothing is boxed, and
/// nothing is copied.
async fn guarded<T>(path: &str, mut answer: Pin<&mut impl Future<Output = Result<T, Problem>>>) -> Result<T, Problem> {
    poll_fn(|context| {
        // Nobody looks at the future again that a panic left as it was.
        catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(context))).unwrap_or_else(|_| {
            tracing::error!(path, "a request handler panicked");
            Poll::Ready(Err(Problem::Internal))
        })
    })
    .await
}

/// What this build is, as `GET …/version` says it.
fn build() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (commit, date) = (option_env!("BUILD_COMMIT"), option_env!("BUILD_DATE"));
    let body = serde_json::json!({
        "version": version,
        "git_commit": commit.unwrap_or("unknown"),
        "build_time": date.unwrap_or("unknown"),
    });
    format!("{body}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn panic_in_the_end(waits: bool) -> Result<(), Problem> {
        if waits {
            tokio::task::yield_now().await;
        }
        panic!("as it was meant to");
    }

    #[tokio::test]
    async fn a_panic_costs_one_request_also_after_it_has_waited() {
        for waits in [false, true] {
            assert_eq!(guarded("/", pin!(panic_in_the_end(waits))).await, Err(Problem::Internal), "{waits}");
        }
    }
}
