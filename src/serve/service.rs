//! What answers requests: it finds out what is asked for, lets the parts of the wing make it, and dresses it. One
//! service for each listener and configuration; what outlives it is the [`Core`]'s.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response};

use super::admin::Access;
use super::api::View;
use super::cache::{CatalogRequest, Origin};
use super::cors::Cors;
use super::error::Problem;
use super::freshness::Freshness;
use super::handling::{Answered, Found};
use super::inspections::Inspection;
use super::lineage::LineageHeader;
use super::registries::{Registries, reason};
use super::representation::Representation;
use super::respond::Responder;
use super::route::{self, Route, route};
use super::targets::Known;
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

/// Answers requests.
#[derive(Debug)]
pub struct Service {
    pub(super) core: Core,
    pub(super) registries: Vec<Arc<Registry>>,
    pub(super) responder: Responder,
    pub(super) lineage: LineageHeader,
    /// The rules of the admin listener, if that is what the service is for.
    pub(super) access: Option<Access>,
    pub(super) read_through: Option<ReadThroughSettings>,
    shows_urls: bool,
    /// Made anew only when there is another catalog, or another lineage.
    freshness: ArcSwap<Freshness>,
    /// That of what no catalog has a part in.
    timeless: Arc<Freshness>,
}

impl Service {
    /// A service of the registries, in configuration order.
    #[must_use]
    pub fn new(core: Core, registries: Vec<Arc<Registry>>, settings: &ServiceSettings) -> Self {
        let (origins, access) = match &settings.door {
            Door::Public(origins) => (Cors::new(origins), None),
            Door::Admin(config) => (Cors::Nobody, Some(Access::new(config))),
        };
        let responder = Responder::new(origins, settings.max_age, settings.visibility);
        let timeless = Arc::new(Freshness::timeless(&responder));
        Self {
            core,
            registries,
            responder,
            timeless,
            access,
            lineage: LineageHeader::new(settings.own_id.clone()),
            read_through: settings.read_through.clone(),
            shows_urls: settings.shows_urls,
            freshness: ArcSwap::default(),
        }
    }

    /// Answers one request for which there is no room.
    pub(super) fn refuse(&self, request: &HeaderMap) -> Response<Body> {
        self.finish(request, self.responder.problem(&Problem::Overloaded))
    }

    /// Adds what every answer has.
    pub(super) fn finish(&self, request: &HeaderMap, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        self.responder.allow_origin(request, headers);
        // What the catalog answers has it already (`freshness`).
        headers.entry(LINEAGE_HEADER).or_insert_with(|| self.lineage.value(&self.core.current.lineage()));
        response
    }

    /// Finds out what is asked for, and how it is answered.
    pub(super) fn answer(&self, request: &Parts) -> Result<Answered, Problem> {
        guard::check(request)?;
        let (path, query) = (request.uri.path(), request.uri.query());
        if request.method == Method::OPTIONS {
            return Ok(Answered::With(self.responder.options(&request.headers, &route::allow(path))));
        }
        if matches!(request.method, Method::GET | Method::HEAD)
            && let Some(answered) = self.core.targets.known(&request.uri, |known| self.find_known(request, known))
        {
            return answered;
        }
        let include_deleted = || query::include_deleted(query);
        match route(&request.method, path)? {
            Route::List => self.find_first(request, CatalogRequest::List(query::list(query)?)),
            Route::Versions { name } => {
                self.find_first(request, CatalogRequest::Versions { name, include_deleted: include_deleted()? })
            }
            Route::Version { name, version } => {
                let include_deleted = include_deleted()?;
                self.find_first(request, CatalogRequest::Version { name, version, include_deleted })
            }
            Route::Ping => Ok(self.momentary("{\"pong\":true}\n")),
            Route::Build => Ok(self.momentary(build())),
            Route::Registries => Ok(self.momentary(self.describe(|registries| registries.list()))),
            Route::Registry { name } => {
                let body = self.describe(|registries| registries.one(&name));
                body.map(|body| self.momentary(body))
                    .ok_or_else(|| Problem::NotFound("No registry of that name is configured".into()))
            }
            Route::Conflicts => self.inspect(Inspection::conflicts(query)?),
            Route::Duplicates => self.inspect(Inspection::duplicates(query)?),
            Route::Changes => self.changes(request),
            Route::Health | Route::Live => Ok(self.momentary("{\"status\":\"ok\"}\n")),
            Route::Ready => self.with_view(|view| view.readiness()).map(|body| self.momentary(body)),
            Route::OpenapiYaml => Ok(self.document(&self.core.documents.yaml)),
            Route::OpenapiJson => Ok(self.document(&self.core.documents.json)),
            Route::Docs => Ok(self.document(&self.core.documents.page)),
            Route::Posted(reading) => Ok(Answered::Posted(reading)),
        }
    }

    /// Finds the answer to a target that is known.
    fn find_known(&self, head: &Parts, known: &Known) -> Result<Answered, Problem> {
        let found = self.with_view(|view| {
            let representation = self.core.cache.recall(view.catalog, known)?;
            Some(Found { representation, origin: Origin::Memory, freshness: self.freshness(view) })
        });
        match found {
            Some(found) => Ok(Answered::Found(found)),
            None => self.find(head, Arc::clone(&known.request), |_| true),
        }
    }

    /// The same for a target that is not known yet. What is in the cache already is asked for often.
    fn find_first(&self, head: &Parts, request: CatalogRequest) -> Result<Answered, Problem> {
        self.find(head, Arc::new(request), |found| found.origin == Origin::Memory)
    }

    /// Finds the answer in the cache, or else renders it from the catalog; then the target may be worth knowing. What
    /// the catalog lacks, the registries may have.
    fn find(
        &self,
        head: &Parts,
        request: Arc<CatalogRequest>,
        is_worth_knowing: impl FnOnce(&Found) -> bool,
    ) -> Result<Answered, Problem> {
        match self.look(&request) {
            Ok(found) => {
                if is_worth_knowing(&found) {
                    self.core.targets.note(&head.uri, &request, &found.representation);
                }
                Ok(Answered::Found(found))
            }
            Err(problem) => self.ask(head, request, problem).map(Box::new).map(Answered::Awaited),
        }
    }

    /// Looks for an answer of the catalog's.
    pub(super) fn look(&self, request: &Arc<CatalogRequest>) -> Result<Found, Problem> {
        self.with_view(|view| {
            let (representation, origin) =
                self.core.cache.get_or_render(view.catalog, request, |request| view.render(request))?;
            Ok(Found { representation, origin, freshness: self.freshness(view) })
        })
    }

    pub(super) fn freshness(&self, view: View<'_>) -> Arc<Freshness> {
        let is_partial = !view.is_ready && self.core.started.elapsed() < PARTIAL_LIMIT;
        // After the catalog was read: whoever sees content of another proxy sees its id.
        let lineage = self.core.current.lineage();
        let known = self.freshness.load();
        if known.is_of(view.catalog, is_partial, &lineage) {
            return Arc::clone(&known);
        }
        let named = self.lineage.value(&lineage);
        let lineage = Arc::clone(&lineage);
        let freshness = Arc::new(Freshness::of(view.catalog, is_partial, lineage, &named, &self.responder));
        self.freshness.store(Arc::clone(&freshness));
        freshness
    }

    fn document(&self, document: &Arc<Representation>) -> Answered {
        let (representation, origin) = (Arc::clone(document), Origin::Memory);
        Answered::Found(Found { representation, origin, freshness: Arc::clone(&self.timeless) })
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
        see(View { catalog: &catalog, is_ready, reason: &reason, inspections: &self.core.inspections })
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
            replica: self.core.figures.replica.as_ref().map(|replica| replica()),
        })
    }
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
