//! The admin listener (contract §5): who may use it, what it does besides reading, and figures. Everything that only
//! reads is answered as on the public listener, without CORS.

mod access;
mod metrics;

use http::request::Parts;
use http::{HeaderValue, Method};
use serde::Serialize;

use super::error::Problem;
use super::escapes::decode;
use super::registries::CheckView;
use super::{Answered, Service};
use crate::registry::Registry;

pub(super) use access::Access;

/// What the admin listener does that the public one does not.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    /// Figures for Prometheus.
    Metrics,
    /// Test Connection.
    Test { name: String },
    /// A full walk.
    Refresh { name: String, accept: bool },
    /// Which methods there are.
    Options { allow: String },
}

/// What a test came to.
#[derive(Serialize)]
struct Tested<'a> {
    name: &'a str,
    #[serde(flatten)]
    check: CheckView,
}

/// That a walk was asked for.
#[derive(Serialize)]
struct Asked<'a> {
    name: &'a str,
    refresh: &'static str,
    accept: bool,
}

const OPEN_METRICS: HeaderValue =
    HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");

impl Service {
    /// Lets a request into the admin listener, and answers what only that one does; `None` for everything else.
    pub(super) async fn administer(&self, access: &Access, request: &Parts) -> Result<Option<Answered>, Problem> {
        access.check(request).await?;
        super::guard::check(request)?;
        let Some(action) = action(&request.method, request.uri.path(), request.uri.query())? else { return Ok(None) };
        match action {
            Action::Options { allow } => Ok(Some(Answered::With(self.responder.options(&request.headers, &allow)))),
            Action::Metrics => {
                let mut response = self.responder.momentary(self.metrics());
                response.headers_mut().insert(http::header::CONTENT_TYPE, OPEN_METRICS);
                Ok(Some(Answered::With(response)))
            }
            Action::Test { name } => {
                let registry = self.registry(&name)?;
                let check = registry.check().await;
                let tested = Tested { name: &name, check: CheckView::from(&check) };
                let body = super::registries::to_line(&tested);
                // Where another replica asks it, that one's tests count, for all.
                if registry.is_ours_to_ask() {
                    registry.observe_check(check);
                }
                Ok(Some(self.momentary(body)))
            }
            Action::Refresh { name, accept } => {
                self.registry(&name)?.request_refresh(accept);
                let asked = Asked { name: &name, refresh: "requested", accept };
                let mut response = self.responder.momentary(super::registries::to_line(&asked));
                *response.status_mut() = http::StatusCode::ACCEPTED;
                Ok(Some(Answered::With(response)))
            }
        }
    }

    fn registry(&self, name: &str) -> Result<&Registry, Problem> {
        let found = self.registries.iter().find(|registry| registry.name() == name);
        found.map(AsRef::as_ref).ok_or_else(|| Problem::NotFound("No registry of that name is configured".into()))
    }
}

/// Finds what a request asks for, if that is for the admin listener alone.
fn action(method: &Method, path: &str, query: Option<&str>) -> Result<Option<Action>, Problem> {
    let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect();
    let methods: &[Method] = match segments[..] {
        ["metrics"] => &[Method::GET, Method::HEAD],
        ["registries", _, "test" | "refresh"] => &[Method::POST],
        _ => return Ok(None),
    };
    if !methods.contains(method) {
        let names: Vec<&str> = methods.iter().chain([&Method::OPTIONS]).map(Method::as_str).collect();
        let allow = names.join(", ");
        let is_asked = method == Method::OPTIONS;
        return if is_asked { Ok(Some(Action::Options { allow })) } else { Err(Problem::MethodNotAllowed { allow }) };
    }
    let name = |name| decode(name, "registry name");
    Ok(Some(match segments[..] {
        ["registries", registry, "test"] => Action::Test { name: name(registry)? },
        ["registries", registry, _] => Action::Refresh { name: name(registry)?, accept: accept(query)? },
        _ => Action::Metrics,
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
    }
}
