//! The description against the router and against the parameters that are read: neither can change alone.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use super::documents::description;
use super::error::Problem;
use super::inspections;
use super::pages::Asset;
use super::query;
use super::reading::Reading;
use super::route::{Route, route};

/// Says under which path each route is described. A new route does not compile before it has one here, and
/// the tests do not pass before the description has that path.
macro_rules! described {
    ($($route:pat => $path:literal,)+) => {
        fn path_of(route: &Route) -> &'static str {
            match route { $($route => $path,)+ }
        }
        const PATHS: &[&str] = &[$($path),+];
    };
}

described! {
    Route::List => "/v0.1/servers",
    Route::Versions { .. } => "/v0.1/servers/{serverName}/versions",
    Route::Version { .. } => "/v0.1/servers/{serverName}/versions/{version}",
    Route::Health => "/v0.1/health",
    Route::Ping => "/v0.1/ping",
    Route::Build => "/v0.1/version",
    Route::Registries => "/registries",
    Route::Registry { .. } => "/registries/{name}",
    Route::Conflicts => "/conflicts",
    Route::Duplicates => "/duplicates",
    Route::Changes => "/changes",
    Route::Live => "/livez",
    Route::Ready => "/readyz",
    Route::OpenapiYaml => "/openapi.yaml",
    Route::OpenapiJson => "/openapi.json",
    Route::Docs => "/docs",
    Route::Browse => "/",
    Route::Server { .. } => "/server/{serverName}",
    Route::Status => "/status",
    Route::Asset(Asset::Style) => "/assets/style.css",
    Route::Asset(Asset::Script) => "/assets/script.js",
    Route::Asset(Asset::Icon) => "/assets/icon.svg",
    Route::Posted(Reading::ServerJson) => "/v0.1/validate",
    Route::Posted(Reading::Configuration) => "/validate",
    Route::Posted(Reading::Message) => "/mcp",
}

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::DELETE,
    Method::PATCH,
    Method::TRACE,
    Method::CONNECT,
];

/// The described paths, each with its methods.
fn described_paths(description: &Value) -> impl Iterator<Item = (&str, BTreeSet<String>)> {
    let paths = description["paths"].as_object().expect("paths");
    paths.iter().map(|(path, item)| {
        let members = item.as_object().expect("a path item").keys();
        let methods = members.filter(|key| *key != "parameters").map(|method| method.to_ascii_uppercase());
        (path.as_str(), methods.collect())
    })
}

/// A request's path for a described one.
fn example(path: &str) -> String {
    let path = path.replace("{serverName}", "com.example%2Fsearch").replace("{version}", "1.0.0%2Bbuild");
    path.replace("{name}", "acme")
}

#[test]
fn every_described_method_is_routed_and_every_other_is_refused_with_those_described() {
    let description = description();
    for (path, described) in described_paths(&description) {
        for method in METHODS {
            let routed = route(&method, &example(path));
            let is_described = described.contains(method.as_str());
            match routed {
                Ok(_) => assert!(is_described, "{method} {path} is routed, not described"),
                Err(Problem::NotImplemented(_)) => {
                    assert!(is_described, "{method} {path} is refused as optional, not described");
                    let responses = &description["paths"][path][method.as_str().to_ascii_lowercase()]["responses"];
                    assert!(responses.get("501").is_some(), "{method} {path} is 501, not described so");
                }
                Err(Problem::MethodNotAllowed { allow }) => {
                    assert!(!is_described, "{method} {path} is described, not routed");
                    let allowed: BTreeSet<String> = allow.split(", ").map(str::to_owned).collect();
                    let expected = described.iter().cloned().chain(["OPTIONS".to_owned()]).collect();
                    assert_eq!(allowed, expected, "Allow of {path}");
                }
                Err(problem) => panic!("{method} {path} is described, and answered with {problem:?}"),
            }
        }
    }
}

#[test]
fn every_route_is_described_under_all_of_its_paths() {
    let description = description();
    let described: BTreeSet<&str> = described_paths(&description).map(|(path, _)| path).collect();
    for path in PATHS {
        assert!(described.contains(path), "{path} is not described");
        let at = |path: &str| {
            let get = route(&Method::GET, &example(path));
            get.or_else(|_| route(&Method::POST, &example(path)))
        };
        let found = at(path).expect("a described path is routed");
        assert_eq!(path_of(&found), *path);
        for other in other_spellings(path) {
            let routed = at(&other);
            assert_eq!(described.contains(&*other), routed.is_ok(), "{other}: described against routed");
            // `/validate` is another route than `/v0.1/validate`.
            let is_same = routed.is_ok_and(|other| other == found);
            assert!(!is_same || description["paths"][&other] == description["paths"][path], "{other} against {path}");
        }
    }
}

/// The paths under which a route may be found too.
fn other_spellings(path: &str) -> Vec<String> {
    path.strip_prefix("/v0.1").map(|rest| vec![format!("/v0{rest}"), rest.to_owned()]).unwrap_or_default()
}

#[test]
fn the_described_query_parameters_are_those_that_are_read() {
    let description = description();
    let described = |path: &str| -> BTreeSet<&str> {
        let parameters = description["paths"][path]["get"]["parameters"].as_array().into_iter().flatten();
        let resolved = parameters.map(|parameter| {
            let pointer = parameter["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
            description.pointer(pointer.expect("parameters are references")).expect("a parameter")
        });
        let in_query = resolved.filter(|parameter| parameter["in"] == "query");
        in_query.map(|parameter| parameter["name"].as_str().expect("a name")).collect()
    };
    for path in PATHS {
        let read: BTreeSet<&str> = match *path {
            "/server/{serverName}" => query::SERVER_PARAMETERS.into(),
            "/" => query::BROWSE_PARAMETERS.into(),
            "/v0.1/servers" => query::LIST_PARAMETERS.into(),
            "/conflicts" => inspections::CONFLICT_PARAMETERS.into(),
            "/duplicates" => inspections::DUPLICATE_PARAMETERS.into(),
            "/changes" => query::CHANGES_PARAMETERS.into(),
            path if path.contains("/versions") => ["include_deleted"].into(),
            _ => BTreeSet::new(),
        };
        assert_eq!(described(path), read, "{path}: the description against `query`");
    }
}

#[test]
fn bounds_are_described_as_they_are_checked() {
    let description = description();
    let parameter = |name: &str| &description["components"]["parameters"][name]["schema"];
    let is_taken = |query: &str| query::list(Some(query)).is_ok();
    let limit = parameter("limit");
    let bound = |key: &str| limit[key].as_i64().expect("a number");
    for (value, fits) in [
        (bound("minimum") - 1, false),
        (bound("minimum"), true),
        (bound("maximum"), true),
        (bound("maximum") + 1, false),
    ] {
        assert_eq!(is_taken(&format!("limit={value}")), fits, "limit={value}");
    }
    let default = query::list(None).expect("no parameters").limit;
    assert_eq!(limit["default"].as_u64(), u64::try_from(default).ok());
    for (key, name) in [("search", "search"), ("versionFilter", "version")] {
        let most = parameter(key)["maxLength"].as_u64().and_then(|most| usize::try_from(most).ok()).expect("a number");
        assert!(is_taken(&format!("{name}={}", "x".repeat(most))), "{name}");
        assert!(!is_taken(&format!("{name}={}", "x".repeat(most + 1))), "{name}");
    }
}
