//! The header in which proxies name themselves, and registries that are refused because of it.

use serde_json::{Value, json};

use super::http::Reply;
use super::proxy::Proxy;

pub(crate) const HEADER: &str = "mcp-registry-proxy";

/// The proxies that an answer names.
pub(crate) fn ids(reply: &Reply) -> Vec<String> {
    reply.header(HEADER).split(", ").map(str::to_owned).collect()
}

/// A proxy's own id.
pub(crate) async fn id(proxy: &Proxy) -> String {
    let id = ids(&proxy.get("/livez").await).swap_remove(0);
    assert_eq!(id.len(), 22, "{id}");
    id
}

pub(crate) async fn until_refused(proxy: &Proxy, registry: &str) -> Value {
    let is_refused = |status: &Value| {
        let reason = status["lastCheck"]["stages"][1]["reason"].as_str().unwrap_or_default();
        let error = status["lastError"]["message"].as_str().unwrap_or_default();
        status["state"] == "unhealthy" && reason.starts_with("loop: ") && error.starts_with("response: loop: ")
    };
    let status = proxy.until(registry, "the loop was refused", is_refused).await;
    assert_eq!(status["usable"], false, "{status}");
    status
}

/// Watches several tests of a registry, all of which must find the loop that was found first.
pub(crate) async fn assert_stays_refused(proxy: &Proxy, registry: &str) {
    let since = until_refused(proxy, registry).await["since"].clone();
    let mut last = Value::Null;
    for _ in 0..8 {
        let status = proxy.until(registry, "another test", |status| status["lastCheck"]["at"] != last).await;
        assert_eq!((&status["state"], &status["since"]), (&json!("unhealthy"), &since), "{status}");
        last = status["lastCheck"]["at"].clone();
    }
}
