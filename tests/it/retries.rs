//! Pages that fail and are asked for again: at the same cursor, after a wait, without a new beginning.

use std::time::Duration;

use crate::support::entry::numbered;
use crate::support::proxy::{NO_INCREMENTS, Setup};
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

/// Walks three pages, the second of which fails so the first time. Returns how long the registry was left
/// in peace after that.
async fn wait_before_retry(fault: Behaviour) -> Duration {
    let registry = FakeRegistry::start(numbered("com.example", 250)).await;
    registry.next_when(1, Seen::has_cursor, fault);
    let setup = Setup::new().settings(NO_INCREMENTS).registry("alpha", &registry.url());
    let proxy = setup.start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 250);
    assert_eq!(proxy.registry("alpha").await["lastSync"]["pages"], 3);

    let pages = registry.requests_where(Seen::is_page);
    let numbers: Vec<&str> = pages.iter().map(page_of).collect();
    assert_eq!(numbers, ["first", "second", "second", "third"]);
    proxy.stop().await;
    pages[2].at - pages[1].at
}

/// Which page of the list of 250 a request is for.
fn page_of(seen: &Seen) -> &'static str {
    match seen.parameter("cursor").as_deref() {
        None => "first",
        Some("com.example/server-0099:1.0.0") => "second",
        Some("com.example/server-0199:1.0.0") => "third",
        Some(_) => "another",
    }
}

#[tokio::test]
async fn a_page_is_asked_for_again_after_a_server_error() {
    // The first wait is half a second, of which up to one half is left to chance.
    assert!(wait_before_retry(Behaviour::status(500)).await >= Duration::from_millis(250));
}

#[tokio::test]
async fn a_page_is_asked_for_again_after_a_gateway_error_with_html() {
    wait_before_retry(Behaviour::Status(504, vec![("content-type", "text/html".to_owned())])).await;
}

#[tokio::test]
async fn a_page_is_asked_for_again_after_a_reset_connection() {
    wait_before_retry(Behaviour::Reset).await;
}

#[tokio::test]
async fn a_page_is_asked_for_again_after_a_connection_that_closed_without_an_answer() {
    wait_before_retry(Behaviour::CloseBeforeResponse).await;
}

#[tokio::test]
async fn a_page_is_asked_for_again_after_half_an_answer() {
    wait_before_retry(Behaviour::Truncated).await;
}

#[tokio::test]
async fn a_page_that_is_no_list_is_asked_for_again() {
    let maintenance = Behaviour::Body("text/html", "<html>back soon</html>".into());
    wait_before_retry(maintenance).await;
}

#[tokio::test]
async fn retry_after_is_respected() {
    let fault = Behaviour::Status(429, vec![("retry-after", "2".to_owned())]);
    assert!(wait_before_retry(fault).await >= Duration::from_secs(2));
}

#[tokio::test]
async fn a_retry_after_of_nothing_is_clamped_to_a_second() {
    let fault = Behaviour::Status(503, vec![("retry-after", "0".to_owned())]);
    assert!(wait_before_retry(fault).await >= Duration::from_secs(1));
}
