//! The ids of requests: which answers have one, and that the log's line of a request has the same.

use http::Method;
use serde_json::Value;

use crate::support::binary::Workplace;
use crate::support::entry::{keys_of, list, numbered};
use crate::support::http::{send, send_with};
use crate::support::proxy::Setup;
use crate::support::registry::FakeRegistry;
use crate::support::{check, eventually};

#[tokio::test]
async fn an_id_that_comes_is_said_again_and_errors_always_have_one() {
    let entries = numbered("com.alpha", 2);
    let alpha = FakeRegistry::start(entries.clone()).await;
    let proxy = Setup::new().registry("alpha", &alpha.url()).start_ready().await;
    proxy.until_listed(&keys_of(&entries)).await;
    let sent = async |target: &str, id: &str| proxy.get_with(target, &[("x-request-id", id)]).await;
    for target in ["/v0.1/servers", "/v0.1/servers", "/livez", "/docs", "/v0.1/nothing", "/v0.1/servers?limit=0"] {
        let reply = sent(target, "a-1:b/2").await;
        assert_eq!(reply.header("x-request-id"), "a-1:b/2", "{target}: {}", reply.status);
    }
    assert_eq!(proxy.get("/v0.1/servers").await.header("x-request-id"), "", "nobody asked for one");
    let tag = proxy.get("/v0.1/servers").await.header("etag").to_owned();
    let headers = [("x-request-id", "same"), ("if-none-match", tag.as_str())];
    let unchanged = proxy.get_with("/v0.1/servers", &headers).await;
    assert_eq!((unchanged.status, unchanged.header("x-request-id")), (304, "same"));

    let (one, other) = (proxy.get("/v0.1/nothing").await, proxy.get("/v0.1/nothing").await);
    let made = |id: &str| id.len() == 16 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    assert!(made(one.header("x-request-id")) && made(other.header("x-request-id")));
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    assert!(one.header("access-control-expose-headers").contains("X-Request-Id"), "pages can read it");
    let long = "a".repeat(129);
    for bad in ["has blanks in it", "<script>", "\"", &long] {
        assert_eq!(sent("/v0.1/servers", bad).await.header("x-request-id"), "", "{bad}");
        assert!(made(sent("/v0.1/nothing", bad).await.header("x-request-id")), "{bad}");
    }
    proxy.stop().await;
}

/// The fields of the log's lines of requests.
fn lines(log: &[String]) -> Vec<Value> {
    let lines = log.iter().map(|line| serde_json::from_str::<Value>(line).expect("a JSON line"));
    lines.filter(|line| line["message"] == "request").collect()
}

#[tokio::test]
async fn at_debug_the_log_has_one_line_for_each_request_and_else_none() {
    for (level, expected) in [("debug", 3), ("info", 0)] {
        let workplace = Workplace::new();
        workplace.write("alpha.json", list(&numbered("com.example", 2), None).to_string());
        workplace.write(
            "proxy.toml",
            format!(
                "[server]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\nlevel = {level:?}\n[store]\npath = \"off\"\n\
                 [[registries]]\nname = \"alpha\"\nfile = \"alpha.json\"\n"
            ),
        );
        let mut serving = workplace.serve(&["--config", "proxy.toml"]).await;
        let id = [("x-request-id", "mine-1"), ("authorization", "Bearer c4n4ryS3cretQ")];
        let listed = send_with(serving.address, Method::GET, "/v0.1/servers?search=c4n4ryS3cretQ", &id).await;
        let missing = send(serving.address, Method::GET, "/v0.1/nothing").await;
        assert_eq!(send(serving.address, Method::HEAD, "/livez").await.status, 200);
        eventually("all lines are there", async || {
            let found = lines(&serving.log_with("request"));
            check(found.len() >= expected, found)
        })
        .await;
        serving.signal("TERM");
        serving.exit_code().await;
        let found = lines(&serving.log_with("request"));
        assert_eq!(found.len(), expected, "{found:?}");
        assert!(!serving.log().contains("c4n4ryS3cretQ"), "{}", serving.log());
        let [first, second, third] = &found[..] else { continue };
        assert_eq!((&first["method"], &first["path"]), (&"GET".into(), &"/v0.1/servers".into()));
        assert_eq!((&first["route"], &first["request_id"]), (&"/v0.1/servers".into(), &"mine-1".into()));
        assert_eq!((&first["status"], &first["bytes"]), (&listed.status.into(), &listed.body.len().into()));
        assert!(first["client"].as_str().is_some_and(|client| client.starts_with("127.0.0.1:")), "{first}");
        assert!(first["duration_us"].is_u64(), "{first}");
        assert_eq!((&second["route"], &second["status"]), (&"other".into(), &404.into()));
        assert_eq!(second["request_id"], missing.header("x-request-id"));
        assert_eq!((&third["method"], &third["cache"]), (&"HEAD".into(), &"none".into()));
    }
}
