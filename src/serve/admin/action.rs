//! What the admin listener does besides reading: which request asks for what, and in which form it wants to hear of it.
//! Pure.

use http::{HeaderMap, Method};

use super::super::accept::preferred;
use super::super::error::Problem;
use super::super::escapes::decode;
use super::super::note::RouteName;
use super::dashboard::{Asset, Page};

/// What a segment of a path is, for those who wrote it wrongly.
const REGISTRY: &str = "registry name";

/// What the admin listener does that the public one does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A page to look at.
    Page(Page),
    /// The list of servers, which is at the root in public.
    Browse,
    /// What such a page loads.
    Asset(Asset),
    /// Figures for Prometheus.
    Metrics,
    /// Test Connection.
    Test { name: String },
    /// A full walk.
    Refresh { name: String, accept: bool },
    /// Which methods there are.
    Options { allow: String },
}

impl Action {
    /// Its name in figures and traces.
    pub(super) fn name(&self) -> RouteName {
        match self {
            Self::Page(_) => RouteName::Dashboard,
            Self::Browse => RouteName::Browse,
            Self::Asset(_) => RouteName::Asset,
            Self::Metrics => RouteName::Metrics,
            Self::Test { .. } => RouteName::Test,
            Self::Refresh { .. } => RouteName::Refresh,
            Self::Options { .. } => RouteName::Other,
        }
    }
}

/// How whoever asks for an action wants to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As one JSON document, in the end.
    Json,
    /// As lines of JSON, while it goes on.
    Lines,
    /// As a page: a form of ours was sent.
    Page,
}

impl Form {
    /// The form that `Accept` prefers; JSON for whoever takes anything.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let offered =
            [("application/json", Self::Json), ("application/x-ndjson", Self::Lines), ("text/html", Self::Page)];
        preferred(headers, &offered).unwrap_or(Self::Json)
    }
}

/// Finds what a request asks for, if that is for the admin listener alone.
pub(super) fn action(method: &Method, path: &str, query: Option<&str>) -> Result<Option<Action>, Problem> {
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect();
    let page = Page::of(&segments, |name| decode(name, REGISTRY))?;
    let methods: &[Method] = match segments[..] {
        ["metrics" | "browse"] => &[Method::GET, Method::HEAD],
        ["assets", name] if Asset::of(name).is_some() => &[Method::GET, Method::HEAD],
        _ if page.is_some() => &[Method::GET, Method::HEAD],
        ["registries", _, "test" | "refresh"] => &[Method::POST],
        _ => return Ok(None),
    };
    if !methods.contains(method) {
        let names: Vec<&str> = methods.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        let allow = names.join(", ");
        let is_asked = method == Method::OPTIONS;
        return if is_asked { Ok(Some(Action::Options { allow })) } else { Err(Problem::MethodNotAllowed { allow }) };
    }
    let name = |name| decode(name, REGISTRY);
    Ok(Some(match (page, &segments[..]) {
        (Some(page), _) => Action::Page(page),
        (None, ["registries", registry, "test"]) => Action::Test { name: name(registry)? },
        (None, ["registries", registry, _]) => Action::Refresh { name: name(registry)?, accept: accept(query)? },
        (None, ["browse"]) => Action::Browse,
        (None, ["assets", name]) => return Ok(Asset::of(name).map(Action::Asset)),
        (None, _) => Action::Metrics,
    }))
}

/// The one parameter of a refresh.
fn accept(query: Option<&str>) -> Result<bool, Problem> {
    let mut accept = false;
    for (key, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        accept = match (&*key, &*value) {
            ("accept", "true") => true,
            ("accept", "false") => false,
            _ => {
                return Err(Problem::BadRequest(
                    "A refresh takes `accept=true` or `accept=false`, and nothing else.".into(),
                ));
            }
        };
    }
    Ok(accept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_anything_gets_json_and_browsers_get_a_page() {
        for (accept, expected) in [
            ("", Form::Json),
            ("*/*", Form::Json),
            ("application/x-ndjson", Form::Lines),
            ("application/json, text/html;q=0.5", Form::Json),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Form::Page),
        ] {
            let value = http::HeaderValue::from_static(accept);
            let headers = HeaderMap::from_iter([(http::header::ACCEPT, value)]);
            assert_eq!(Form::accepted(&headers), expected, "{accept:?}");
        }
        assert_eq!(Form::accepted(&HeaderMap::new()), Form::Json);
    }

    fn find(method: &Method, target: &str) -> Result<Option<Action>, u16> {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        action(method, path, query).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn actions_have_a_path_and_a_method() {
        assert_eq!(find(&Method::GET, "/metrics"), Ok(Some(Action::Metrics)));
        let name = || "acme".to_owned();
        assert_eq!(find(&Method::POST, "/registries/acme/test"), Ok(Some(Action::Test { name: name() })));
        for (query, accept) in [("", false), ("?accept=true", true), ("?accept=false", false), ("?accept=true&", true)]
        {
            let expected = Action::Refresh { name: name(), accept };
            assert_eq!(find(&Method::POST, &format!("/registries/acme/refresh{query}")), Ok(Some(expected)));
        }
        assert_eq!(find(&Method::GET, "/registries/acme/refresh"), Err(405));
        assert_eq!(find(&Method::POST, "/metrics"), Err(405));
        for (target, allow) in [
            ("/metrics", "GET, HEAD, OPTIONS"),
            ("/registries/acme/test", "POST, OPTIONS"),
            ("/registries/acme/refresh", "POST, OPTIONS"),
        ] {
            assert_eq!(find(&Method::OPTIONS, target), Ok(Some(Action::Options { allow: allow.to_owned() })));
        }
        assert_eq!(find(&Method::POST, "/registries/acme/refresh?accept=yes"), Err(400));
        assert_eq!(find(&Method::POST, "/registries/acme/refresh?force=true"), Err(400));
        assert_eq!(find(&Method::GET, "/registries/acme"), Ok(None));
        let page = |page| Ok(Some(Action::Page(page)));
        assert_eq!(find(&Method::GET, "/"), page(Page::Overview));
        assert_eq!(find(&Method::GET, "/dashboard/registries/acme"), page(Page::Registry { name: name() }));
        assert_eq!(find(&Method::GET, "/dashboard/conflicts?cursor=x"), page(Page::Conflicts));
        assert_eq!(find(&Method::GET, "/assets/dashboard.js?1"), Ok(Some(Action::Asset(Asset::Script))));
        assert_eq!(find(&Method::GET, "/assets/style.css"), Ok(None));
        assert_eq!(find(&Method::POST, "/"), Err(405));
        assert_eq!(find(&Method::GET, "/browse?search=x"), Ok(Some(Action::Browse)));
        assert_eq!(find(&Method::GET, "/dashboard"), Ok(None));
    }
}
