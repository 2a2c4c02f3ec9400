//! The golden table: one row per request of registry-api.md §1.4 and §9, on every root, with the status and
//! the exact problem. What lists and versions hold is in `lists`.

use http::Method;
use serde_json::Value;

use crate::support::entry::Entry;
use crate::support::http::{Reply, send};
use crate::support::profile::assert_dressed;
use crate::support::proxy::{Proxy, Setup};

/// What the list may be asked for under. The last one is for clients that leave the version out.
const ROOTS: [&str; 3] = ["/v0", "/v0.1", ""];

async fn proxy() -> Proxy {
    let entries = [
        Entry::new("com.example/alive", "1.0.0"),
        Entry::new("com.example/alive", "1.1.0+build.5"),
        Entry::new("com.example/gone", "1.0.0").deleted(),
        Entry::new("Salesforce DX MCP", "1.0.0"),
        Entry::new("com.example/100%25", "1.0.0"),
    ];
    let entries: Vec<Value> = entries.into_iter().map(Entry::into_value).collect();
    Setup::new().file("curated", Value::from(entries).to_string()).start_ready().await
}

/// The exact body of a problem.
fn problem(title: &str, status: u16, detail: &str, errors: &str) -> String {
    let errors = if errors.is_empty() { String::new() } else { format!(",\"errors\":[{errors}]") };
    format!("{{\"title\":\"{title}\",\"status\":{status},\"detail\":\"{detail}\"{errors},\"error\":\"{detail}\"}}\n")
}

fn invalid(errors: &str) -> String {
    problem("Unprocessable Entity", 422, "validation failed", errors)
}

fn bad(detail: &str) -> String {
    problem("Bad Request", 400, detail, "")
}

#[track_caller]
fn assert_problem(target: &str, reply: &Reply, status: u16, body: &str) {
    assert_eq!((reply.status, reply.text()), (status, body), "{target}");
    assert_eq!(reply.header("content-type"), "application/problem+json", "{target}");
    assert_dressed(target, reply);
}

const LOW: &str = "expected number >= 1";
const TIME: &str = "Invalid updated_since format: expected RFC3339 timestamp (e.g., 2025-08-07T13:15:04.280Z)";
const HIDDEN: &str =
    "Cannot set include_deleted=false when using updated_since (incremental sync requires deleted servers)";
const NUL_IN_QUERY: &str = "Invalid request: query parameters contain null bytes";
const NUL_IN_PATH: &str = "Invalid request: URL path contains null bytes";

fn wrong(message: &str, key: &str, value: &str) -> String {
    format!("{{\"message\":\"{message}\",\"location\":\"query.{key}\",\"value\":{value}}}")
}

#[tokio::test]
async fn parameters_of_the_wrong_kind_are_answered_in_the_official_words() {
    let both = format!("{},{}", wrong(LOW, "limit", "0"), wrong("invalid boolean", "include_deleted", "\"2\""));
    let rows = [
        ("limit=0", 422, invalid(&wrong(LOW, "limit", "0"))),
        ("limit=-1", 422, invalid(&wrong(LOW, "limit", "-1"))),
        ("limit=101", 422, invalid(&wrong("expected number <= 100", "limit", "101"))),
        ("limit=abc", 422, invalid(&wrong("invalid integer", "limit", "\"abc\""))),
        ("limit=1e2", 422, invalid(&wrong("invalid integer", "limit", "\"1e2\""))),
        ("limit=5.0", 422, invalid(&wrong("invalid integer", "limit", "\"5.0\""))),
        ("include_deleted=maybe", 422, invalid(&wrong("invalid boolean", "include_deleted", "\"maybe\""))),
        ("limit=0&include_deleted=2&updated_since=x", 422, invalid(&both)),
        ("updated_since=yesterday", 400, bad(TIME)),
        ("updated_since=2025-08-07", 400, bad(TIME)),
        ("updated_since=2025-08-07T13:15:04+02:00", 400, bad(TIME)),
        ("updated_since=2025-08-07T13:15:04Z&include_deleted=false", 400, bad(HIDDEN)),
        ("search=%00", 400, bad(NUL_IN_QUERY)),
        ("cursor=a%00b", 400, bad(NUL_IN_QUERY)),
        ("cursor=com.example/alive:1.0.0", 400, bad("Invalid cursor parameter")),
    ];
    let proxy = proxy().await;
    for root in ROOTS {
        for (query, status, body) in &rows {
            let target = format!("{root}/servers?{query}");
            assert_problem(&target, &proxy.get(&target).await, *status, body);
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn parameters_that_the_official_server_takes_are_taken() {
    let proxy = proxy().await;
    for query in [
        "",
        "?",
        "?limit=",
        "?limit=05",
        "?limit=100",
        "?limit=1&limit=abc",
        "?search=&cursor=&version=&updated_since=",
        "?source=cli&x[]=1&&",
        "?include_deleted",
        "?include_deleted=T",
        "?include_deleted=0",
        "?updated_since=2025-08-07T13:15:04%2B02:00",
        "?updated_since=2025-08-07T13:15:04.280Z&include_deleted=true",
        "?search=%2500",
    ] {
        let reply = proxy.get(&format!("/v0.1/servers{query}")).await;
        assert_eq!(
            (reply.status, reply.header("content-type")),
            (200, "application/json"),
            "{query}: {}",
            reply.text()
        );
        assert_dressed(query, &reply);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn what_is_not_listed_is_a_plain_404() {
    let body = problem("Not Found", 404, "Server not found", "");
    let targets = [
        "com.example%2Fmissing/versions",
        "com.example/missing/versions/latest",
        "not-in-registry/versions/latest",
        "COM.EXAMPLE%2Falive/versions/latest",
        "com.example%2Falive/versions/9.9.9",
        "com.example%2Falive/versions/1.1.0",
        "com.example%2Fgone/versions",
        "com.example%2Fgone/versions/latest",
        "com.example%2Fgone/versions/1.0.0",
        "%20/versions/latest",
        "..%2F..%2Fetc%2Fpasswd/versions/latest",
    ];
    let proxy = proxy().await;
    for root in ROOTS {
        for target in targets {
            let target = format!("{root}/servers/{target}");
            assert_problem(&target, &proxy.get(&target).await, 404, &body);
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn unknown_routes_are_404_in_the_official_words() {
    let proxy = proxy().await;
    let in_api = problem("Not Found", 404, "Endpoint not found. See /docs for the API documentation.", "");
    for target in [
        "/v0",
        "/v0/",
        "/v0.1/server",
        "/v0/servers/com.example%2Falive",
        "/v0/servers/com.example/alive",
        "/v0.1/servers/a%2Fb/versions/1/x",
        "/v0/servers/5f1b0d0e-0000-4000-8000-000000000000",
        "/v0/servers//versions",
    ] {
        assert_problem(target, &proxy.get(target).await, 404, &in_api);
    }
    // VS Code with the whole path in its setting; it needs a 404, and whoever looks needs a hint.
    for target in ["/v0.1/servers/v0.1/servers?limit=1", "/v0.1/servers/v0/servers?limit=1"] {
        let reply = proxy.get(target).await;
        assert_eq!(reply.status, 404);
        assert!(reply.detail().contains("base URL"), "{}", reply.text());
    }
    let hint =
        "Endpoint not found. Did you mean '/v0.1/servers' or '/v0/servers'? See /docs for the API documentation.";
    let elsewhere = problem("Not Found", 404, hint, "");
    for target in ["/v1/servers", "/server", "/V0/servers", "//v0/servers", "/favicon.ico"] {
        assert_problem(target, &proxy.get(target).await, 404, &elsewhere);
    }
    proxy.stop().await;
}

#[tokio::test]
async fn broken_encodings_and_nul_in_a_path_are_400() {
    let rows = [
        ("com.example%2/versions", "Invalid server name encoding"),
        ("com.example%ZZalive/versions/latest", "Invalid server name encoding"),
        ("%/versions/1.0.0", "Invalid server name encoding"),
        ("com.example%2Falive/versions/1.0%", "Invalid version encoding"),
        ("com.example%2Falive/versions/%G0", "Invalid version encoding"),
        ("com.example%00alive/versions", NUL_IN_PATH),
        ("com.example%2Falive/versions/1%00", NUL_IN_PATH),
    ];
    let proxy = proxy().await;
    for root in ROOTS {
        for (target, detail) in rows {
            let target = format!("{root}/servers/{target}");
            assert_problem(&target, &proxy.get(&target).await, 400, &bad(detail));
        }
    }
    let target = "/v0/servers/com.example%2Falive/versions?include_deleted=yes";
    let body = invalid(&wrong("invalid boolean", "include_deleted", "\"yes\""));
    assert_problem(target, &proxy.get(target).await, 422, &body);
    proxy.stop().await;
}

#[tokio::test]
async fn every_spelling_of_a_name_and_a_version_finds_it() {
    let proxy = proxy().await;
    let alive = ["com.example%2Falive", "com.example%2falive", "com.example/alive", "com%2Eexample%252Falive"];
    let expected = proxy.json("/v0.1/servers/com.example%2Falive/versions/latest").await;
    assert_eq!(expected["server"]["version"], "1.1.0+build.5");
    for root in ROOTS {
        for name in alive {
            for version in ["latest", "1.1.0%2Bbuild.5", "1.1.0+build.5", "1.1.0%252Bbuild.5", "latest/"] {
                let target = format!("{root}/servers/{name}/versions/{version}");
                assert_eq!(proxy.json(&target).await, expected, "{target}");
            }
            assert_eq!(proxy.json(&format!("{root}/servers/{name}/versions/")).await["metadata"]["count"], 2);
        }
        let odd = proxy.json(&format!("{root}/servers/Salesforce%20DX%20MCP/versions/latest")).await;
        assert_eq!(odd["server"]["name"], "Salesforce DX MCP");
        let percent = proxy.json(&format!("{root}/servers/com.example%2F100%2525/versions/1.0.0")).await;
        assert_eq!(percent["server"]["name"], "com.example/100%25");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn optional_routes_that_write_are_501_and_other_methods_405_with_allow() {
    let unsupported =
        |what: &str| problem("Not Implemented", 501, &format!("{what} is not supported by this registry"), "");
    let updates = problem("Not Implemented", 501, "Updates are not supported by this registry", "");
    let version = "/servers/com.example%2Falive/versions/1.0.0";
    let rows = [
        (Method::POST, "/publish".to_owned(), unsupported("Publishing")),
        (Method::PUT, version.to_owned(), updates.clone()),
        (Method::DELETE, version.to_owned(), unsupported("Deletion")),
        (Method::PATCH, format!("{version}/status"), updates.clone()),
        (Method::PATCH, "/servers/com.example/alive/status".to_owned(), updates),
    ];
    let proxy = proxy().await;
    for root in ["/v0", "/v0.1"] {
        for (method, path, body) in &rows {
            let target = format!("{root}{path}");
            let reply = send(proxy.address(), method.clone(), &target).await;
            assert_problem(&format!("{method} {target}"), &reply, 501, body);
        }
        for path in ["/servers", "/servers/com.example/alive/versions", "/health", "/ping", "/version"] {
            let reply = send(proxy.address(), Method::POST, &format!("{root}{path}")).await;
            assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD, OPTIONS"), "{root}{path}");
        }
        let reply = send(proxy.address(), Method::POST, &format!("{root}{version}")).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD, PUT, DELETE, OPTIONS"));
        let reply = proxy.get(&format!("{root}/publish")).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "POST, OPTIONS"));
    }
    for path in ["/registries", "/registries/curated", "/livez", "/readyz", "/servers"] {
        let reply = send(proxy.address(), Method::DELETE, path).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD, OPTIONS"), "{path}");
    }
    proxy.stop().await;
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let proxy = proxy().await;
    for target in ["/v0.1/servers", "/v0/servers/a/b/versions", "/v0/health", "/v0/servers?limit=0", "/registries"] {
        let get = proxy.get(target).await;
        let head = send(proxy.address(), Method::HEAD, target).await;
        assert_eq!((head.status, head.text()), (get.status, ""), "{target}");
        assert_dressed(target, &get);
        assert_dressed(target, &head);
        for (name, value) in &get.headers {
            assert!(
                name == "date"
                    || name == "cache-status"
                    || name == "x-request-id"
                    || head.headers.get(name) == Some(value),
                "{target}: {name}"
            );
        }
    }
    let head = send(proxy.address(), Method::HEAD, "/v0.1/servers").await;
    let length = proxy.get("/v0.1/servers").await.body.len();
    assert_eq!(head.header("content-length"), length.to_string());
    proxy.stop().await;
}

#[tokio::test]
async fn options_is_204_and_every_answer_has_what_browsers_and_copilot_need() {
    let proxy = proxy().await;
    for target in ["/v0.1/servers", "/v0/servers/com.example%2Falive/versions/latest", "/v0/publish", "/registries"] {
        for method in [Method::OPTIONS, Method::GET] {
            let reply = send(proxy.address(), method.clone(), target).await;
            assert_eq!(reply.header("access-control-allow-origin"), "*", "{method} {target}");
            assert_eq!(reply.header("access-control-allow-methods"), "GET, OPTIONS", "{method} {target}");
            assert_eq!(
                reply.header("access-control-allow-headers"),
                "Authorization, Content-Type",
                "{method} {target}"
            );
            assert_dressed(target, &reply);
            if method == Method::OPTIONS {
                assert_eq!((reply.status, reply.text()), (204, ""), "{target}");
            }
        }
    }
    proxy.stop().await;
}

#[tokio::test]
async fn health_ping_and_version_answer_as_the_official_server_does() {
    let proxy = proxy().await;
    for root in ["/v0", "/v0.1"] {
        assert_eq!(proxy.get(&format!("{root}/health")).await.text(), "{\"status\":\"ok\"}\n");
        assert_eq!(proxy.get(&format!("{root}/ping")).await.text(), "{\"pong\":true}\n");
        let version = proxy.json(&format!("{root}/version")).await;
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        assert!(version["git_commit"].is_string() && version["build_time"].is_string(), "{version}");
    }
    proxy.stop().await;
}
