//! What is noted of a request on its way to the answer, for figures, logs and traces: which route it is, what the cache
//! had of it, and the id that its answer has been given. A few bytes that travel beside the answer.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::cache::{CatalogRequest, Origin};
use super::handling::Found;
use super::inspections::Inspection;
use super::pages::Page;
use super::reading::Reading;
use super::route::Route;

/// The header by which a client, or what stands before us, names a request, and by which we do.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest id that is taken from a client. A trace's is 32, a UUID 36.
const MAX_ID_BYTES: usize = 128;

/// What is noted of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Note {
    pub(super) route: RouteName,
    pub(super) cache: CacheUse,
    /// Whether it came with a header for an id (`guard`).
    pub(super) has_id: bool,
    /// The id that was made for it; 0 where none was.
    made: u64,
}

/// A route as figures and traces call it: one name for all paths that differ in a name, a version, or the version of
/// the API. So there are few of them, whatever clients ask for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum RouteName {
    /// No route: not found, not allowed, not implemented, or refused before anything was looked at.
    #[default]
    Other,
    List,
    Versions,
    Version,
    Health,
    Ping,
    Build,
    ValidateServerJson,
    Validate,
    Registries,
    Registry,
    Conflicts,
    Duplicates,
    Changes,
    Live,
    Ready,
    OpenapiYaml,
    OpenapiJson,
    Docs,
    Message,
    Browse,
    Server,
    Status,
    Asset,
    Dashboard,
    Metrics,
    Test,
    Refresh,
}

impl RouteName {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 28] = [
        Self::Other,
        Self::List,
        Self::Versions,
        Self::Version,
        Self::Health,
        Self::Ping,
        Self::Build,
        Self::ValidateServerJson,
        Self::Validate,
        Self::Registries,
        Self::Registry,
        Self::Conflicts,
        Self::Duplicates,
        Self::Changes,
        Self::Live,
        Self::Ready,
        Self::OpenapiYaml,
        Self::OpenapiJson,
        Self::Docs,
        Self::Message,
        Self::Browse,
        Self::Server,
        Self::Status,
        Self::Asset,
        Self::Dashboard,
        Self::Metrics,
        Self::Test,
        Self::Refresh,
    ];

    /// The name, as `OpenAPI` writes paths. What the API has under several versions stands under the newest.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::List => "/v0.1/servers",
            Self::Versions => "/v0.1/servers/{serverName}/versions",
            Self::Version => "/v0.1/servers/{serverName}/versions/{version}",
            Self::Health => "/v0.1/health",
            Self::Ping => "/v0.1/ping",
            Self::Build => "/v0.1/version",
            Self::ValidateServerJson => "/v0.1/validate",
            Self::Validate => "/validate",
            Self::Registries => "/registries",
            Self::Registry => "/registries/{name}",
            Self::Conflicts => "/conflicts",
            Self::Duplicates => "/duplicates",
            Self::Changes => "/changes",
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::OpenapiYaml => "/openapi.yaml",
            Self::OpenapiJson => "/openapi.json",
            Self::Docs => "/docs",
            Self::Message => "/mcp",
            Self::Browse => "/",
            Self::Server => "/server/{serverName}",
            Self::Status => "/status",
            Self::Asset => "/assets/{name}",
            Self::Dashboard => "dashboard",
            Self::Metrics => "/metrics",
            Self::Test => "/registries/{name}/test",
            Self::Refresh => "/registries/{name}/refresh",
        }
    }
}

impl From<&Route> for RouteName {
    fn from(route: &Route) -> Self {
        match route {
            Route::List => Self::List,
            Route::Versions { .. } => Self::Versions,
            Route::Version { .. } => Self::Version,
            Route::Health => Self::Health,
            Route::Ping => Self::Ping,
            Route::Build => Self::Build,
            Route::Registries => Self::Registries,
            Route::Registry { .. } => Self::Registry,
            Route::Conflicts => Self::Conflicts,
            Route::Duplicates => Self::Duplicates,
            Route::Changes => Self::Changes,
            Route::Live => Self::Live,
            Route::Ready => Self::Ready,
            Route::OpenapiYaml => Self::OpenapiYaml,
            Route::OpenapiJson => Self::OpenapiJson,
            Route::Docs => Self::Docs,
            Route::Browse => Self::Browse,
            Route::Server { .. } => Self::Server,
            Route::Status => Self::Status,
            Route::Asset(_) => Self::Asset,
            Route::Posted(Reading::ServerJson) => Self::ValidateServerJson,
            Route::Posted(Reading::Configuration) => Self::Validate,
            Route::Posted(Reading::Message) => Self::Message,
        }
    }
}

impl From<&CatalogRequest> for RouteName {
    fn from(request: &CatalogRequest) -> Self {
        match request {
            CatalogRequest::List(_) => Self::List,
            CatalogRequest::Versions { .. } => Self::Versions,
            CatalogRequest::Version { .. } => Self::Version,
            CatalogRequest::Inspection(Inspection::Conflicts(_)) => Self::Conflicts,
            CatalogRequest::Inspection(Inspection::Duplicates(_)) => Self::Duplicates,
            CatalogRequest::Page(Page::Browse(_)) => Self::Browse,
            CatalogRequest::Page(Page::Server { .. }) => Self::Server,
        }
    }
}

/// What the cache of rendered answers had of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum CacheUse {
    /// It was not asked.
    #[default]
    None,
    /// It had it.
    Hit,
    /// It had not: the answer was rendered out of the catalog.
    Rendered,
    /// The catalog had not either: registries were asked for it, now or shortly before.
    ReadThrough,
}

impl CacheUse {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 4] = [Self::None, Self::Hit, Self::Rendered, Self::ReadThrough];

    /// The name of the outcome.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Hit => "hit",
            Self::Rendered => "rendered",
            Self::ReadThrough => "read_through",
        }
    }
}

impl From<&Found> for CacheUse {
    fn from(found: &Found) -> Self {
        match found.origin {
            Origin::ReadThrough { .. } => Self::ReadThrough,
            Origin::Rendered => Self::Rendered,
            Origin::Memory if found.representation.place.is_some() => Self::Hit,
            // The API's description is no part of the cache.
            Origin::Memory => Self::None,
        }
    }
}

impl Note {
    /// The id of a request: the one that it came with, or else one that is made when somebody first asks.
    pub(super) fn request_id(&mut self, request: &HeaderMap) -> HeaderValue {
        sent_id(request).cloned().unwrap_or_else(|| {
            while self.made == 0 {
                self.made = fastrand::u64(..);
            }
            HeaderValue::from_str(&format!("{:016x}", self.made)).expect("digits make a header")
        })
    }
}

/// The id that a request came with, if it is one that can be written anywhere.
pub(super) fn sent_id(request: &HeaderMap) -> Option<&HeaderValue> {
    request.get(REQUEST_ID).filter(|id| is_id(id.as_bytes()))
}

/// Letters, digits and a few signs: what neither a log nor a page nor a shell takes for something else.
fn is_id(bytes: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:/+=@".contains(byte);
    !bytes.is_empty() && bytes.len() <= MAX_ID_BYTES && bytes.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(id: &str) -> HeaderMap {
        HeaderMap::from_iter([(REQUEST_ID, HeaderValue::from_str(id).expect("a header"))])
    }

    #[test]
    fn an_id_that_comes_is_taken_if_it_can_be_written_anywhere() {
        let long = "a".repeat(MAX_ID_BYTES);
        for id in ["1", "0af7651916cd43dd8448eb211c80319c", "Root=1-67891233-abcdef012345678912345678", &long] {
            assert_eq!(sent_id(&with(id)).map(HeaderValue::as_bytes), Some(id.as_bytes()));
            assert_eq!(Note::default().request_id(&with(id)), id);
        }
        for id in ["", "a b", "a\"b", "<b>", "a;b", "a\tb", "a,b", &"a".repeat(MAX_ID_BYTES + 1)] {
            assert_eq!(sent_id(&with(id)), None, "{id}");
        }
    }

    #[test]
    fn an_id_that_is_made_stays_the_same() {
        let mut note = Note::default();
        let made = note.request_id(&HeaderMap::new());
        assert_eq!(made.len(), 16);
        assert_eq!(note.request_id(&with("not this one")), made);
        assert_ne!(Note::default().request_id(&HeaderMap::new()), made);
    }

    #[test]
    fn names_stand_at_their_numbers_and_no_two_are_the_same() {
        for (at, name) in RouteName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, at);
        }
        for (at, name) in CacheUse::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, at);
        }
        let names: std::collections::BTreeSet<_> = RouteName::ALL.map(RouteName::as_str).into_iter().collect();
        assert_eq!(names.len(), RouteName::ALL.len());
    }
}
