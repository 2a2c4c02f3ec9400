//! From a method and a path to what is asked for. Pure; the table of all routes.
//!
//! The raw path is split at its slashes before anything is decoded: a name travels as one segment
//! (`ns%2Fname`) or, where something on the way decoded it, as two (`ns/name`).

use http::Method;

use super::error::Problem;
use super::escapes::{decode, without_needless_escapes};
use super::pages::Asset;
use super::reading::Reading;

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// The merged list.
    List,
    /// All versions of a name.
    Versions { name: String },
    /// One version of a name; `latest` is special.
    Version { name: String, version: String },
    /// The API's health.
    Health,
    /// The API's ping.
    Ping,
    /// What build this is.
    Build,
    /// The state of all registries.
    Registries,
    /// The state of one registry.
    Registry { name: String },
    /// Where registries disagree.
    Conflicts,
    /// What is likely the same thing under several names.
    Duplicates,
    /// What happened between catalogs.
    Changes,
    /// Whether the process runs.
    Live,
    /// Whether the first attempt to fetch each registry has ended.
    Ready,
    /// The API's description, as YAML.
    OpenapiYaml,
    /// The same as JSON.
    OpenapiJson,
    /// The same as a page.
    Docs,
    /// The servers, as a page.
    Browse,
    /// A server, as a page.
    Server { name: String },
    /// The state of all registries, as a page.
    Status,
    /// What pages load.
    Asset(Asset),
    /// What is said of a body.
    Posted(Reading),
}

const UNKNOWN_IN_API: &str = "Endpoint not found. See /docs for the API documentation.";
const UNKNOWN: &str =
    "Endpoint not found. Did you mean '/v0.1/servers' or '/v0/servers'? See /docs for the API documentation.";

/// For a client whose base URL has the list's path in it already (clients.md §1.1).
const DOUBLED: &str = "Endpoint not found. See /docs for the API documentation. This client appends the path of the \
                       API itself: give it this registry's base URL, without /v0.1/servers.";

/// A path, recognised.
#[derive(Default)]
struct Recognised {
    read: Option<Route>,
    posted: Option<Reading>,
    writes: &'static [Write],
}

/// A method that an optional route of the API would have, and what to say instead.
type Write = (Method, &'static str);

const PUBLISHING: &str = "Publishing is not supported by this registry";
const UPDATES: &str = "Updates are not supported by this registry";
const DELETION: &str = "Deletion is not supported by this registry";

/// Finds what a request asks for.
pub(super) fn route(method: &Method, path: &str) -> Result<Route, Problem> {
    let path = &*without_needless_escapes(path);
    if !path.starts_with('/') {
        return Err(Problem::NotFound(UNKNOWN.into()));
    }
    let segments = segments(path);
    let Recognised { read, posted, writes } = recognise(&segments)?;
    let reads: &[Method] = if read.is_some() { &[Method::GET, Method::HEAD] } else { &[] };
    if let Some(route) = read.filter(|_| reads.contains(method)) {
        return Ok(route);
    }
    let posts: &[Method] = if posted.is_some() { &[Method::POST] } else { &[] };
    if let Some(reading) = posted.filter(|_| posts.contains(method)) {
        return Ok(Route::Posted(reading));
    }
    if let Some((_, refusal)) = writes.iter().find(|(write, _)| write == method) {
        return Err(Problem::NotImplemented((*refusal).into()));
    }
    // Methods that are not implemented are the path's too: the API has them.
    let methods = reads.iter().chain(posts).chain(writes.iter().map(|(write, _)| write)).chain([&Method::OPTIONS]);
    let names: Vec<&str> = methods.map(Method::as_str).collect();
    Err(Problem::MethodNotAllowed { allow: names.join(", ") })
}

fn segments(path: &str) -> Vec<&str> {
    path.strip_suffix('/').unwrap_or(path).split('/').skip(1).collect()
}

/// Whether a path is that of a page, so that its problems are pages, too, to who reads HTML.
pub(super) fn is_page(path: &str) -> bool {
    // Those of the admin listener are (`admin::action`), too, and nothing else in public.
    path.starts_with('/')
        && matches!(segments(&without_needless_escapes(path))[..], [] | ["status" | "browse"] | ["server", _, ..])
}

/// Whether a path asks for the process and not for the catalog.
pub(super) fn is_health(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz")
}

/// The methods of a path, for `Allow`; of one that does not exist, those that reading takes.
pub(super) fn allow(path: &str) -> String {
    // No route has this method: the refusal says which ones there are.
    match route(&Method::CONNECT, path) {
        Err(Problem::MethodNotAllowed { allow }) => allow,
        _ => "GET, HEAD, OPTIONS".to_owned(),
    }
}

fn recognise(segments: &[&str]) -> Result<Recognised, Problem> {
    let read = |route| Ok(Recognised { read: Some(route), ..Recognised::default() });
    match segments {
        ["v0" | "v0.1", rest @ ..] => api(rest),
        // Some clients leave the API version out (clients.md §1.3).
        ["servers", ..] => api(segments),
        ["registries"] => read(Route::Registries),
        ["validate"] => Ok(Recognised { posted: Some(Reading::Configuration), ..Recognised::default() }),
        ["mcp"] => Ok(Recognised { posted: Some(Reading::Message), ..Recognised::default() }),
        ["registries", name] => read(Route::Registry { name: decode(name, "registry name")? }),
        ["conflicts"] => read(Route::Conflicts),
        ["duplicates"] => read(Route::Duplicates),
        ["changes"] => read(Route::Changes),
        ["livez"] => read(Route::Live),
        ["readyz"] => read(Route::Ready),
        ["openapi.yaml"] => read(Route::OpenapiYaml),
        ["openapi.json"] => read(Route::OpenapiJson),
        ["docs"] => read(Route::Docs),
        [] => read(Route::Browse),
        // The name is all that follows, however it is spelled.
        ["server", name @ ..] if !name.is_empty() => {
            read(Route::Server { name: decode(&name.join("/"), "server name")? })
        }
        ["status"] => read(Route::Status),
        ["assets", name] => match Asset::of(name) {
            Some(asset) => read(Route::Asset(asset)),
            None => Err(Problem::NotFound(UNKNOWN.into())),
        },
        _ => Err(Problem::NotFound(UNKNOWN.into())),
    }
}

fn api(segments: &[&str]) -> Result<Recognised, Problem> {
    let read = |route| Ok(Recognised { read: Some(route), ..Recognised::default() });
    match segments {
        ["servers"] => read(Route::List),
        ["health"] => read(Route::Health),
        ["ping"] => read(Route::Ping),
        ["version"] => read(Route::Build),
        ["validate"] => Ok(Recognised { posted: Some(Reading::ServerJson), ..Recognised::default() }),
        ["publish"] => Ok(Recognised { writes: &[(Method::POST, PUBLISHING)], ..Recognised::default() }),
        // One segment first: a name whose second part is `versions` is rarer than a version of that name.
        ["servers", name, part @ ("versions" | "status"), tail @ ..] if !name.is_empty() && tail.len() < 2 => {
            server(name, part, tail)
        }
        ["servers", name, "versions", version, "status"] => server(name, "versions", &[version, "status"]),
        ["servers", namespace, name, part @ ("versions" | "status"), tail @ ..] if !namespace.is_empty() => {
            server(&format!("{namespace}/{name}"), part, tail)
        }
        ["servers", "v0" | "v0.1", "servers", ..] => Err(Problem::NotFound(DOUBLED.into())),
        _ => Err(Problem::NotFound(UNKNOWN_IN_API.into())),
    }
}

/// What stands under one server: `versions`, one version, or the optional routes that write.
fn server(name: &str, part: &str, tail: &[&str]) -> Result<Recognised, Problem> {
    let name = decode(name, "server name")?;
    match (part, tail) {
        ("versions", []) => Ok(Recognised { read: Some(Route::Versions { name }), ..Recognised::default() }),
        ("versions", [version]) if !version.is_empty() => {
            let version = decode(version, "version")?;
            let writes = &[(Method::PUT, UPDATES), (Method::DELETE, DELETION)];
            Ok(Recognised { read: Some(Route::Version { name, version }), writes, ..Recognised::default() })
        }
        ("versions", [_, "status"]) | ("status", []) => {
            Ok(Recognised { writes: &[(Method::PATCH, UPDATES)], ..Recognised::default() })
        }
        _ => Err(Problem::NotFound(UNKNOWN_IN_API.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_known_by_their_route() {
        for path in
            ["/", "/status", "/status/", "/server/a/b", "/%73erver/a%2Fb", "/server/%ZZ", "/server/a/", "/browse"]
        {
            assert!(is_page(path), "{path}");
        }
        for path in ["/server", "/server/", "/servers/a", "/v0/servers", "/statuses", "*", "/docs"] {
            assert!(!is_page(path), "{path}");
        }
    }

    fn get(path: &str) -> Result<Route, u16> {
        route(&Method::GET, path).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn both_spellings_of_a_name_are_the_same_route_under_every_root() {
        let name = || "com.example/my-server".to_owned();
        for root in ["/v0/servers", "/v0.1/servers", "/servers"] {
            for spelling in ["com.example%2Fmy-server", "com.example%2fmy-server", "com.example/my-server"] {
                assert_eq!(get(&format!("{root}/{spelling}/versions")), Ok(Route::Versions { name: name() }));
                let version = "1.0.0+2013".to_owned();
                let expected = Route::Version { name: name(), version };
                assert_eq!(get(&format!("{root}/{spelling}/versions/1.0.0%2B2013")), Ok(expected));
            }
            assert_eq!(get(root), Ok(Route::List));
            assert_eq!(get(&format!("{root}/")), Ok(Route::List));
        }
    }

    #[test]
    fn escapes_that_nothing_needs_change_nothing() {
        assert_eq!(get("/v0%2E1/%73ervers"), Ok(Route::List));
        assert_eq!(get("/v0/servers/com%2Eexample%2Fx/ver%73ions"), get("/v0/servers/com.example%2Fx/versions"));
        assert_eq!(
            get("/v0/servers/com.example%252Fx/versions"),
            Ok(Route::Versions { name: "com.example%2Fx".into() })
        );
        assert_eq!(get("/v0%2Fservers"), Err(404), "an escaped slash is no slash");
    }

    #[test]
    fn names_need_no_slash() {
        let version = "latest".to_owned();
        let expected = Route::Version { name: "Salesforce DX MCP".to_owned(), version };
        assert_eq!(get("/v0.1/servers/Salesforce%20DX%20MCP/versions/latest"), Ok(expected));
    }

    #[test]
    fn a_version_may_have_the_name_of_a_part_of_the_path() {
        for version in ["versions", "status"] {
            let expected = Route::Version { name: "a/b".to_owned(), version: version.to_owned() };
            assert_eq!(get(&format!("/v0/servers/a%2Fb/versions/{version}")), Ok(expected));
        }
    }

    #[test]
    fn what_is_no_route_is_not_found() {
        for path in [
            "",
            "*",
            "//",
            "/assets",
            "/assets/x.js",
            "/v0",
            "/v2/servers",
            "/v0.1/servers/v0.1/servers",
            "/v0/servers/a/b",
            "/v0//servers",
        ] {
            assert_eq!(get(path), Err(404), "{path}");
        }
    }

    #[test]
    fn broken_escapes_are_bad_requests() {
        for path in [
            "/v0/servers/%/versions",
            "/v0/servers/%2/versions",
            "/v0/servers/a%ZZ/versions/1",
            "/v0/servers/a%2%46x/versions",
            "/v0/servers/a%0%30/versions",
        ] {
            assert_eq!(get(path), Err(400), "{path}");
        }
    }

    #[test]
    fn routes_that_write_are_not_implemented_and_other_methods_not_allowed() {
        let status = |method: Method, path: &str| route(&method, path).err().map(|problem| problem.status().as_u16());
        assert_eq!(status(Method::POST, "/v0/publish"), Some(501));
        assert_eq!(status(Method::PUT, "/v0.1/servers/a%2Fb/versions/1"), Some(501));
        assert_eq!(status(Method::DELETE, "/v0.1/servers/a/b/versions/1"), Some(501));
        assert_eq!(status(Method::PATCH, "/v0.1/servers/a%2Fb/status"), Some(501));
        assert_eq!(status(Method::PATCH, "/v0.1/servers/a%2Fb/versions/1/status"), Some(501));
        assert_eq!(route(&Method::POST, "/v0/validate"), Ok(Route::Posted(Reading::ServerJson)));
        assert_eq!(status(Method::GET, "/v0/validate"), Some(405));
        assert_eq!(route(&Method::POST, "/validate/"), Ok(Route::Posted(Reading::Configuration)));
        assert_eq!(allow("/v0.1/validate"), "POST, OPTIONS");
        assert_eq!(route(&Method::POST, "/mcp"), Ok(Route::Posted(Reading::Message)));
        assert_eq!(status(Method::GET, "/mcp"), Some(405), "there is no stream of ours to listen to");
        assert_eq!(status(Method::DELETE, "/mcp"), Some(405), "there are no sessions");
        assert_eq!(status(Method::POST, "/v0/servers"), Some(405));
        assert_eq!(status(Method::GET, "/v0/publish"), Some(405));
    }
}
