//! What answers requests: it finds out what is asked for, lets the parts of the wing make it, and dresses it. One
//! service for each listener and configuration; what outlives it is the [`Core`]'s.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Response};
use jiff::Timestamp;

use super::admin::Access;
use super::api::View;
use super::cache::{CatalogRequest, Origin};
use super::cors::Cors;
use super::error::Problem;
use super::freshness::Freshness;
use super::handling::{Answered, Found, Noted};
use super::inspections::Inspection;
use super::lineage::LineageHeader;
use super::mcp::Pages;
use super::note::{self, Note, REQUEST_ID, RouteName};
use super::pages::{self, Browsed, Page, Root};
use super::registries::{Registries, reason};
use super::representation::Representation;
use super::respond::Responder;
use super::route::{self, Route, route};
use super::targets::Known;
use super::{AdminConfig, Body, Core, ReadThroughSettings, ReplicaFigures, Visibility, configuration, guard, query};
use crate::catalog::lineage::ProxyId;
use crate::registry::{LINEAGE_HEADER, Registry};

/// How long after the start lists are said to be a part, at most. A registry whose first walk never ends shall not
/// keep those who mirror this proxy from all the others.
const PARTIAL_LIMIT: Duration = Duration::from_mins(15);

/// What is said of a page of a server whose name is spelled with more slashes than links on it can lead back over.
const TOO_DEEP: &str = "A path with so many slashes is no page's. Write the server's name as one segment, with %2F for \
                        each slash in it.";

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
    /// Whose pages may speak MCP.
    pub(super) pages: Pages,
    /// Made anew only when there is another catalog, or another lineage.
    freshness: ArcSwap<Freshness>,
    /// That of what no catalog has a part in.
    timeless: Arc<Freshness>,
}

impl Service {
    /// A service of the registries, in configuration order.
    #[must_use]
    pub fn new(core: Core, registries: Vec<Arc<Registry>>, settings: &ServiceSettings) -> Self {
        core.note_registries(&registries);
        let (origins, pages, access) = match &settings.door {
            Door::Public(origins) => (Cors::new(origins), Pages::new(origins), None),
            Door::Admin(config) => (Cors::Nobody, Pages::Known, Some(Access::new(config))),
        };
        // There, a path of a page is another page than in public: its links lead to the dashboard.
        let core = if access.is_some() { core.with_targets_of_its_own() } else { core };
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
            pages,
            freshness: ArcSwap::default(),
        }
    }

    /// Whether the answer to a request is there already, most likely.
    pub(super) fn is_at_hand(&self, request: &Parts) -> bool {
        let is_there = |known: &Known| known.representation().is_some();
        matches!(request.method, Method::GET | Method::HEAD)
            && self.core.targets.known(&request.uri, is_there) == Some(true)
    }

    /// Answers one request for which there is no room.
    pub(super) fn refuse(&self, request: &HeaderMap) -> Noted {
        self.finish(request, self.responder.problem(&Problem::Overloaded), Note::default())
    }

    /// Adds what every answer has. The id that a request came with is said again, and what is no success always has
    /// one, by which the log can be searched. Others need none, and would be longer for it.
    pub(super) fn finish(&self, request: &HeaderMap, mut response: Response<Body>, mut note: Note) -> Noted {
        let is_error = response.status().is_client_error() || response.status().is_server_error();
        let id = match (is_error, note.has_id) {
            (true, _) => Some(note.request_id(request)),
            (false, true) => note::sent_id(request).cloned(),
            (false, false) => None,
        };
        let headers = response.headers_mut();
        if let Some(id) = id {
            headers.insert(REQUEST_ID, id);
        }
        self.responder.allow_origin(request, headers);
        // What the catalog answers has it already (`freshness`).
        headers.entry(LINEAGE_HEADER).or_insert_with(|| self.lineage.value(&self.core.current.lineage()));
        Noted { response, note }
    }

    /// Finds out what is asked for, and how it is answered.
    pub(super) fn answer(&self, request: &Parts, note: &mut Note) -> Result<Answered, Problem> {
        note.has_id = guard::check(request)?;
        let (path, query) = (request.uri.path(), request.uri.query());
        if request.method == Method::OPTIONS {
            return Ok(Answered::With(self.responder.options(&request.headers, &route::allow(path))));
        }
        if matches!(request.method, Method::GET | Method::HEAD)
            && let Some(answered) = self.core.targets.known(&request.uri, |known| {
                note.route = RouteName::from(&*known.request);
                self.find_known(request, known)
            })
        {
            return answered;
        }
        let include_deleted = || query::include_deleted(query);
        let route = route(&request.method, path)?;
        note.route = RouteName::from(&route);
        match route {
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
            Route::Browse => self.browse(request),
            Route::Server { name } => {
                let root = self.root(path).ok_or_else(|| Problem::NotFound(TOO_DEEP.into()))?;
                let version = query::shown_version(query)?;
                self.find_first(request, CatalogRequest::Page(Page::Server { name, version, root }))
            }
            Route::Status => Ok(self.status(path)),
            Route::Asset(asset) => Ok(self.document(self.core.assets.get(asset))),
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
                self.core.cache.get_or_render(view.catalog, request, |request, room| view.render(request, room))?;
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

    pub(super) fn document(&self, document: &Arc<Representation>) -> Answered {
        let (representation, origin) = (Arc::clone(document), Origin::Memory);
        Answered::Found(Found { representation, origin, freshness: Arc::clone(&self.timeless) })
    }

    /// The list of servers, for people: at the root in public, and beside the dashboard (`admin`).
    pub(super) fn browse(&self, request: &Parts) -> Result<Answered, Problem> {
        let query = query::browse(request.uri.query())?;
        let root = self.root(request.uri.path()).unwrap_or_default();
        self.find_first(request, CatalogRequest::Page(Page::Browse(Browsed { query, root })))
    }

    /// How a page at a path links to others; none where that is deeper than pages are.
    pub(super) fn root(&self, path: &str) -> Option<Root> {
        Root::of(path).map(|root| root.on(self.access.is_some()))
    }

    /// How the registries fare, for people.
    fn status(&self, path: &str) -> Answered {
        let root = self.root(path).unwrap_or_default();
        let page = self.describe(|registries| pages::status(&registries.summaries(), root, Timestamp::now()));
        Answered::With(self.responder.momentary_page(page))
    }

    /// Answers with a problem: where there could have been a page, as one to who asks for one.
    pub(super) fn problem(&self, request: &Parts, problem: &Problem) -> Response<Body> {
        let response = self.responder.problem(problem);
        let path = request.uri.path();
        if !route::is_page(path) {
            return response;
        }
        let standing = |registry: &Arc<Registry>| (registry.name().to_owned(), reason(registry));
        let page = self.root(path).filter(|_| pages::reads_html(&request.headers));
        let page = page
            .and_then(|root| pages::problem(problem, root, &self.registries.iter().map(standing).collect::<Vec<_>>()));
        Responder::of_page(response, page)
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

    /// Whether registries' URLs are shown: to those who run the proxy, always.
    pub(super) fn shows_urls_here(&self) -> bool {
        self.shows_urls || self.access.is_some()
    }

    pub(super) fn describe<T>(&self, show: impl FnOnce(Registries<'_>) -> T) -> T {
        let catalog = self.core.current.load();
        show(Registries {
            known: &self.registries,
            catalog: &catalog,
            configuration: &self.configuration(),
            shows_urls: self.shows_urls_here(),
            replica: self.replica(),
        })
    }

    /// How the replica stands, where it is one of several. What Redis says of a fault may name hosts and users: that is
    /// for those who run the proxy.
    fn replica(&self) -> Option<ReplicaFigures> {
        let mut replica = self.core.figures.replica.as_ref()?();
        if let Some(fault) = replica.fault.as_mut().filter(|_| self.access.is_none()) {
            fault.clear();
            fault.push_str("Redis fails; the admin listener and the log say how");
        }
        Some(replica)
    }
}

/// What this build is, as `GET …/version` says it. `build.rs` finds it out.
fn build() -> String {
    let body = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "git_commit": env!("BUILD_COMMIT"),
        "build_time": env!("BUILD_DATE"),
    });
    format!("{body}\n")
}
