//! Traces: what a collector gets of requests, walks and tests of registries, how they hang together across processes,
//! and that a collector which takes nothing changes nothing else.

use std::time::Duration;

use http::Method;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::time::Instant;

use crate::limits::{LARGE, large_list};
use crate::read_through::path;
use crate::support::binary::{Serving, Workplace};
use crate::support::collector::{Collector, Received};
use crate::support::entry::Entry;
use crate::support::http::{post, send, send_with};
use crate::support::raw::nobody;
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::stream::{connect, exchange, status};
use crate::support::{check, eventually};

/// What must not be found in any span.
const CANARY: &str = "c4n4ryS3cretQ";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

async fn registry() -> FakeRegistry {
    FakeRegistry::start(vec![Entry::new("com.example/known", "1.0.0")]).await
}

/// A proxy whose registry's URL holds secrets, in an environment with these variables too.
async fn serve(registry: &FakeRegistry, variables: &str) -> Serving {
    let workplace = Workplace::new();
    let url = registry.url().replacen("://", &format!("://user:{CANARY}@"), 1) + &format!("?key={CANARY}");
    workplace.write(
        "proxy.toml",
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"off\"\n[log]\nformat = \"json\"\n\
             [refresh]\ninterval = \"1h\"\nfull_interval = \"1h\"\nmax_rate = 1000\n[health]\ninterval = \"100ms\"\n\
             [store]\npath = \"off\"\n[[registries]]\nname = \"alpha\"\nurl = {url:?}\n"
        ),
    );
    let preparation = format!("export {variables} OTEL_BSP_SCHEDULE_DELAY=20");
    let serving = workplace.serve_after(&preparation, &["--config", "proxy.toml"]).await;
    eventually("the registry was walked", async || {
        let reply = send(serving.address, Method::GET, "/v0.1/servers").await;
        check(reply.status == 200, reply.text())
    })
    .await;
    serving
}

/// Waits for a span that looks like this.
async fn span(collector: &Collector, what: &str, is_it: impl Fn(&Received) -> bool) -> Received {
    eventually(what, async || {
        let spans = collector.spans();
        spans.iter().find(|span| is_it(span)).cloned().ok_or_else(|| format!("{spans:#?}"))
    })
    .await
}

/// Waits for the first part of a span that has this name.
async fn part(collector: &Collector, whole: &Received, name: &str) -> Received {
    let part = span(collector, name, |span| span.parent == whole.id && span.name == name).await;
    assert_eq!(part.trace, whole.trace);
    part
}

#[tokio::test]
async fn a_request_is_a_part_of_its_senders_trace_and_so_are_the_requests_that_it_causes() {
    let (collector, alpha) = (Collector::start().await, registry().await);
    let variables = format!(
        "OTEL_EXPORTER_OTLP_ENDPOINT={} OTEL_SERVICE_NAME=mirror OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test",
        collector.endpoint()
    );
    let serving = serve(&alpha, &variables).await;
    let target = path("com.example/new", "/1.0.0");
    let headers = |flags: &str, trace: &str| format!("00-{trace}-{PARENT}-{flags}");
    // Who does not want it to be traced comes first: the other one's spans come after, or not at all.
    let (unwanted, other) = (headers("00", "11111111111111111111111111111111"), path("com.example/other", "/1.0.0"));
    let reply = send_with(serving.address, Method::GET, &other, &[("traceparent", &unwanted)]).await;
    assert_eq!(reply.status, 404);
    let wanted = headers("01", TRACE);
    let asked = [("traceparent", wanted.as_str()), ("tracestate", "vendor=1"), ("x-request-id", "mine-1")];
    let reply = send_with(serving.address, Method::GET, &format!("{target}?x={CANARY}"), &asked).await;
    assert_eq!(reply.status, 404, "{}", reply.text());

    let request = span(&collector, "the request", |span| span.trace == TRACE && span.parent == PARENT).await;
    assert_eq!(request.kind, SpanKind::Server);
    assert_eq!(request.name, "GET /v0.1/servers/{serverName}/versions/{version}");
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/v0.1/servers/{serverName}/versions/{version}"),
        ("http.response.status_code", "404"),
        ("url.path", target.as_str()),
        ("server.address", "127.0.0.1"),
        ("mcp_registry_proxy.request_id", "mine-1"),
    ] {
        assert_eq!(request.attribute(key), value, "{key}: {request:#?}");
    }
    assert!(!request.has_failed, "what is not there is no fault");
    let (name, version) = ("service.name", "service.version");
    assert_eq!((&*request.resource[name], &*request.resource["deployment.environment"]), ("mirror", "test"));
    assert_eq!(request.resource[version], env!("CARGO_PKG_VERSION"));

    let flight = part(&collector, &request, "read-through").await;
    let look_up = part(&collector, &flight, "look up").await;
    assert_eq!(look_up.attribute("mcp_registry_proxy.registry"), "alpha");
    let get = part(&collector, &look_up, "GET").await;
    assert_eq!((get.kind, get.attribute("http.response.status_code")), (SpanKind::Client, "404"));
    let seen = alpha.requests_where(|seen| seen.is_look_up() && seen.header("traceparent").contains(TRACE));
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].header("traceparent"), format!("00-{TRACE}-{}-01", get.id));
    assert_eq!(seen[0].header("tracestate"), "vendor=1");
    let spans = collector.spans();
    assert!(!spans.iter().any(|span| span.trace.starts_with("1111")), "nobody wanted it: {spans:#?}");
    assert!(!format!("{spans:?}").contains(CANARY), "{spans:#?}");
}

#[tokio::test]
async fn what_a_tool_of_mcp_asks_registries_for_is_a_part_of_its_message() {
    let (collector, alpha) = (Collector::start().await, registry().await);
    let serving = serve(&alpha, &format!("OTEL_EXPORTER_OTLP_ENDPOINT={}", collector.endpoint())).await;
    let call = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "get_server", "arguments": {"name": "com.example/new"}},
    });
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let headers = [("content-type", "application/json"), ("traceparent", &*traceparent)];
    let reply = post(serving.address, "/mcp", &headers, call.to_string()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let message = span(&collector, "the message", |span| span.trace == TRACE && span.parent == PARENT).await;
    assert_eq!(message.name, "POST /mcp");
    let flight = part(&collector, &message, "read-through").await;
    part(&collector, &flight, "look up").await;
}

#[tokio::test]
async fn the_span_of_an_answer_that_finds_no_room_says_what_is_answered_instead() {
    let collector = Collector::start().await;
    let workplace = Workplace::new();
    workplace.write("curated.json", large_list());
    workplace.write(
        "proxy.toml",
        "[server]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"off\"\n[log]\nformat = \"json\"\n[store]\npath = \"off\"\n\
         [limits]\nmax_sending_size = \"2MiB\"\n[[registries]]\nname = \"curated\"\nfile = \"curated.json\"\n",
    );
    let preparation = format!("export OTEL_EXPORTER_OTLP_ENDPOINT={} OTEL_BSP_SCHEDULE_DELAY=20", collector.endpoint());
    let serving = workplace.serve_after(&preparation, &["--config", "proxy.toml"]).await;
    eventually("the file was read", async || {
        let reply = send(serving.address, Method::GET, "/readyz").await;
        check(reply.status == 200, reply.text())
    })
    .await;
    let mut slow = connect(serving.address).await;
    slow.write_all(LARGE.as_bytes()).await.expect("it reads");
    slow.readable().await.expect("the answer begins");
    assert_eq!(status(&exchange(serving.address, LARGE).await), 503);
    let is_of_a_list = |span: &Received| span.name == "GET /v0.1/servers";
    let refused = span(&collector, "the refusal", |span| is_of_a_list(span) && span.has_failed).await;
    assert_eq!(refused.attribute("http.response.status_code"), "503");
    let sent = span(&collector, "the answer", |span| is_of_a_list(span) && !span.has_failed).await;
    assert_eq!(sent.attribute("http.response.status_code"), "200");
    drop(slow);
}

#[tokio::test]
async fn walks_have_pages_and_tests_have_requests() {
    let (collector, alpha) = (Collector::start().await, registry().await);
    let serving = serve(&alpha, &format!("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT={}/custom", collector.endpoint())).await;
    let walk = span(&collector, "a walk", |span| span.name == "walk").await;
    assert_eq!((walk.parent.as_str(), walk.attribute("mcp_registry_proxy.registry")), ("", "alpha"));
    assert_eq!((walk.attribute("mcp_registry_proxy.pages"), walk.attribute("mcp_registry_proxy.versions")), ("1", "1"));
    assert_eq!(walk.resource["service.name"], "mcp-registry-proxy");
    let page = part(&collector, &walk, "page").await;
    assert_eq!(page.attribute("mcp_registry_proxy.page"), "1");
    let get = part(&collector, &page, "GET").await;
    assert_eq!(get.attribute("server.port"), alpha.port().to_string());
    let seen = alpha.requests_where(Seen::begins_full_walk);
    assert!(seen.iter().any(|seen| seen.header("traceparent").contains(&get.id)), "{seen:?}");
    let probe = span(&collector, "a test", |span| span.name == "probe").await;
    assert!(probe.parent.is_empty() && !probe.has_failed);
    part(&collector, &probe, "GET").await;
    alpha.close_port().await;
    let failed = span(&collector, "a test that failed", |span| span.name == "probe" && span.has_failed).await;
    assert_eq!(failed.attribute("mcp_registry_proxy.failed_stage"), "network");
    assert!(part(&collector, &failed, "GET").await.has_failed);
    // Where only traces have an endpoint, it is the whole URL.
    assert!(collector.requests().iter().all(|line| line == "POST /custom"), "{:?}", collector.requests());
    drop(serving);
}

#[tokio::test]
async fn without_a_collector_no_registry_hears_of_any_trace() {
    let alpha = registry().await;
    for variables in ["OTEL_SERVICE_NAME=x", "OTEL_SDK_DISABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"] {
        alpha.forget_requests();
        let serving = serve(&alpha, variables).await;
        let traceparent = format!("00-{TRACE}-{PARENT}-01");
        let target = path("com.example/new", "/1.0.0");
        let reply = send_with(serving.address, Method::GET, &target, &[("traceparent", &traceparent)]).await;
        assert_eq!(reply.status, 404);
        let seen = alpha.requests();
        assert!(seen.iter().any(Seen::is_look_up) && seen.iter().all(|seen| seen.header("traceparent").is_empty()));
    }
}

#[tokio::test]
async fn a_collector_that_takes_nothing_changes_nothing() {
    let (hanging, dead) = (Collector::hanging().await, nobody().await);
    for endpoint in [hanging.endpoint(), dead.replace("/v0.1/servers", "")] {
        let alpha = registry().await;
        let variables = format!("OTEL_EXPORTER_OTLP_ENDPOINT={endpoint} OTEL_BSP_MAX_QUEUE_SIZE=8");
        let mut serving = serve(&alpha, &variables).await;
        let started = Instant::now();
        for _ in 0..50 {
            assert_eq!(send(serving.address, Method::GET, "/v0.1/servers").await.status, 200);
        }
        assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
        serving.signal("TERM");
        let started = Instant::now();
        assert_eq!(serving.exit_code().await, Some(0));
        assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
        let said = serving.log_with("the collector of traces takes nothing");
        assert!(said.len() <= 1, "{said:?}");
        assert!(serving.log_with("panicked").is_empty(), "{}", serving.log());
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_environment_costs_the_traces_alone() {
    let alpha = registry().await;
    let variables = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317 OTEL_EXPORTER_OTLP_PROTOCOL=grpc";
    let serving = serve(&alpha, variables).await;
    let said = serving.until_logged("there are no traces").await;
    assert!(said.contains("only http/protobuf is spoken here"), "{said}");
}
