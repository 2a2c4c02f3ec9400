//! TLS and HTTP/2 (U46, U47).

use super::{AT_ONCE, Trial, WALKS, few, three_pages};
use crate::support::entry::{Entry, numbered};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, End, FakeRegistry, Seen};
use crate::support::tls_registry::{Authority, Shown, self_signed};
use crate::support::{check, eventually};

/// A registry under TLS, and a proxy that trusts its authority.
async fn trial(authority: &Authority, shown: &Shown, entries: Vec<Entry>, keys: &str) -> Trial {
    let setup = Setup::new().settings(WALKS).settings("[network]\nproxy = \"off\"\nca_file = \"authority.pem\"\n");
    std::fs::write(setup.path("authority.pem"), &authority.pem).expect("a writable directory");
    let faulty = FakeRegistry::start_tls(shown, entries.clone()).await;
    Trial::over(faulty, entries, keys, setup).await
}

/// Shows another certificate until that is found out, and the good one again. Connections that are kept were good.
async fn refuses(shown: impl Fn(&Authority) -> Shown, reason: &str) {
    let authority = Authority::new("ours");
    let good = authority.issue("localhost", 2000, 2100);
    let trial = trial(&authority, &good, few(), AT_ONCE).await;
    trial.faulty.show(&shown(&authority));
    trial.until_dropped("network", reason).await;
    trial.faulty.show(&good);
    trial.until_healthy().await;
    trial.end().await;
}

#[tokio::test]
async fn u46_expired_certificate() {
    refuses(|authority| authority.issue("localhost", 2000, 2001), "expired").await;
}

#[tokio::test]
async fn u46_certificate_of_the_future() {
    refuses(|authority| authority.issue("localhost", 2099, 2100), "not valid yet").await;
}

#[tokio::test]
async fn u46_certificate_of_another_name() {
    refuses(|authority| authority.issue("other.example", 2000, 2100), "not valid for name").await;
}

#[tokio::test]
async fn u46_self_signed_certificate() {
    refuses(|_| self_signed("localhost"), "unknown authority").await;
}

#[tokio::test]
async fn u46_certificate_of_an_unknown_authority() {
    refuses(|_| Authority::new("a stranger").issue("localhost", 2000, 2100), "`network.ca_file`").await;
}

/// Over HTTP/2 too, what breaks off is asked for again, and what was fetched stays.
#[tokio::test]
async fn u47_streams_that_are_reset() {
    let authority = Authority::new("ours");
    let shown = authority.issue("localhost", 2000, 2100).with_http2();
    let trial = trial(&authority, &shown, three_pages(), "").await;
    trial.keeps(Behaviour::Truncated, "broke off").await;
    trial.drops(Behaviour::Reset, "response", "broke off").await;
    trial.end().await;
}

/// A connection that says goodbye after every answer: the next request goes over another one.
#[tokio::test]
async fn u47_connections_that_go_away() {
    let authority = Authority::new("ours");
    let shown = authority.issue("localhost", 2000, 2100).with_http2();
    let trial = trial(&authority, &shown, three_pages(), "").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    trial.faulty.when(Seen::is_page, Behaviour::LastOne);
    let before = trial.faulty.connections();
    trial.list(numbered("com.faulty", 240));
    trial.until_healthy().await;
    // The first page may still have come over the one of the last test.
    let connections = || trial.faulty.connections();
    eventually("pages had a connection each", async || check(before + 3 <= connections(), connections())).await;
    assert_eq!(trial.proxy.registry("faulty").await["since"], since);
    trial.faulty.behave();
    trial.end().await;
}

/// Who speaks no TLS any more where it did.
#[tokio::test]
async fn u46_no_tls() {
    let authority = Authority::new("ours");
    let good = authority.issue("localhost", 2000, 2100);
    let trial = trial(&authority, &good, few(), AT_ONCE).await;
    trial.faulty.show_nothing();
    trial.until_dropped("network", "does not speak TLS").await;
    trial.faulty.show(&good);
    // Under TLS the script is taken for what is inside of it.
    trial.drops(Behaviour::wire("HTTP/1.1 200 OK\r\n", End::Close), "response", "broke off").await;
    trial.end().await;
}
