//! READ WING: from an accepted connection to an answer out of the catalog. Nothing here waits for a
//! registry or for a refresh.
//!
//! In reading order: [`listener`](self) connections, `route` and `query` what is asked for, `cursor` where a
//! page begins, `api` and `registries` the bodies, `cache` the bodies that are there already, `error` the
//! problems, `respond` the headers.

mod api;
mod cache;
mod config;
mod cursor;
mod error;
mod listener;
mod query;
mod registries;
mod respond;
mod route;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};
use http_body_util::Full;

use crate::catalog::current::Current;
use crate::registry::Registry;

use api::View;
use cache::{Request as Cached, ResponseCache};
pub use config::{AdminConfig, AdminListen, CacheConfig, ReadThroughConfig, ServerConfig};
use error::Problem;
pub use listener::{Connection, Listener};
use registries::{Registries, reason};
use respond::Responder;
pub use respond::Visibility;
use route::{Route, route};

/// A body as it is sent: whole, in memory.
type Body = Full<Bytes>;

/// The longest request target.
const MAX_URI_BYTES: usize = 8 << 10;

/// The settings of the public service.
#[derive(Clone, Debug)]
pub struct ServiceSettings {
    /// The origins whose pages may read answers.
    pub cors_origins: Vec<String>,
    /// How much memory rendered bodies may take.
    pub cache_bytes: u64,
    /// How long clients may keep answers.
    pub max_age: Duration,
    /// Whether shared caches may.
    pub visibility: Visibility,
    /// Whether registries' URLs are shown.
    pub shows_urls: bool,
}

/// Answers requests.
#[derive(Debug)]
pub struct Service {
    current: Arc<Current>,
    registries: Vec<Arc<Registry>>,
    cache: ResponseCache,
    responder: Responder,
    shows_urls: bool,
}

impl Service {
    /// A service over the catalog of the moment and the registries, in configuration order.
    #[must_use]
    pub fn new(current: Arc<Current>, registries: Vec<Arc<Registry>>, settings: &ServiceSettings) -> Self {
        Self {
            current,
            registries,
            cache: ResponseCache::new(settings.cache_bytes),
            responder: Responder::new(&settings.cors_origins, settings.max_age, settings.visibility),
            shows_urls: settings.shows_urls,
        }
    }

    /// Answers one request. A panic is this request's alone.
    #[expect(clippy::unused_async, reason = "encoded answers are waited for")]
    async fn handle(&self, request: Parts) -> Response<Body> {
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer(&request)));
        let mut response = answer
            .unwrap_or_else(|_| {
                tracing::error!(path = request.uri.path(), "a request handler panicked");
                Err(Problem::Internal)
            })
            .unwrap_or_else(|problem| self.responder.problem(&problem));
        self.responder.allow_origin(&request.headers, response.headers_mut());
        response
    }

    fn answer(&self, request: &Parts) -> Result<Response<Body>, Problem> {
        let (path, query) = (request.uri.path(), request.uri.query());
        if MAX_URI_BYTES < path.len() + query.map_or(0, str::len) {
            return Err(Problem::UriTooLong);
        }
        if request.method == Method::OPTIONS {
            return Ok(self.responder.preflight());
        }
        let include_deleted = || query::include_deleted(query);
        match route(&request.method, path)? {
            Route::List => self.cached(Cached::List(query::list(query)?)),
            Route::Versions { name } => self.cached(Cached::Versions { name, include_deleted: include_deleted()? }),
            Route::Version { name, version } => {
                self.cached(Cached::Version { name, version, include_deleted: include_deleted()? })
            }
            Route::Ping => Ok(self.responder.momentary("{\"pong\":true}\n")),
            Route::Build => Ok(self.responder.momentary(build())),
            Route::Registries => Ok(self.responder.momentary(self.describe(|registries| registries.list()))),
            Route::Registry { name } => {
                let body = self.describe(|registries| registries.one(&name));
                body.map(|body| self.responder.momentary(body))
                    .ok_or_else(|| Problem::NotFound("No registry of that name is configured".into()))
            }
            Route::Health | Route::Live => Ok(self.responder.momentary("{\"status\":\"ok\"}\n")),
            Route::Ready => self.with_view(|view| view.readiness()).map(|body| self.responder.momentary(body)),
        }
    }

    /// Answers from the cache, or else from the catalog.
    fn cached(&self, request: Cached) -> Result<Response<Body>, Problem> {
        self.with_view(|view| self.cache.get_or_render(view.catalog.revision, request, |request| view.render(request)))
            .map(|body| self.responder.cacheable(body))
    }

    /// Lets a request see one catalog.
    fn with_view<T>(&self, see: impl FnOnce(View<'_>) -> T) -> T {
        // In this order: whoever sees "ready" also sees a catalog that holds what made it so.
        let is_ready = self.current.is_ready();
        let catalog = self.current.load();
        let reason = |index: usize| self.registries.get(index).map(|registry| reason(registry)).unwrap_or_default();
        see(View { catalog: &catalog, is_ready, reason: &reason })
    }

    fn describe<T>(&self, show: impl FnOnce(Registries<'_>) -> T) -> T {
        let catalog = self.current.load();
        show(Registries { known: &self.registries, catalog: &catalog, shows_urls: self.shows_urls })
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
