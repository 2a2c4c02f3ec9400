//! Where requests to a registry may go (U42, U43, U45): to the server that the configuration names, and nowhere else.

use http::header::LOCATION;

use crate::support::binary::Workplace;
use crate::support::entry::numbered;
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};
use crate::support::tls_registry::{Authority, TlsRegistry};

const SETTINGS: &str = "[health]\nunhealthy_after = 1\n";

/// A registry with credentials whose list redirects as told: why its test fails.
async fn refused(registry: &FakeRegistry, location: &str) -> String {
    registry.behave();
    registry.when(|seen| seen.path == "/v0.1/servers", Behaviour::Redirect(location.to_owned()));
    let toml = format!("url = {:?}\nbearer_token = \"s3cret\"", registry.url());
    let proxy = Setup::new().settings(SETTINGS).registry_with("alpha", &toml).start().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    proxy.stop().await;
    let stage = &status["lastCheck"]["stages"][1];
    assert_eq!((&stage["stage"], &stage["ok"]), (&"response".into(), &false.into()), "{status}");
    stage["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_status_that_redirects_is_followed() {
    for status in [301, 302, 303, 307, 308] {
        let registry = FakeRegistry::start_at(&["/list"], numbered("com.example", 3)).await;
        let location = "/list?limit=3".to_owned();
        registry.when(
            |seen| seen.path == "/v0.1/servers" && seen.is_probe(),
            Behaviour::Status(status, vec![(LOCATION.as_str(), location)]),
        );
        let proxy = Setup::new().registry("alpha", &registry.url()).start().await;
        proxy.until_state("alpha", "healthy").await;
        proxy.stop().await;
    }
}

#[tokio::test]
async fn redirects_go_neither_in_circles_nor_on_and_on() {
    // A loop of two, and a chain of four.
    for chain in [&[("/b", "/v0.1/servers")][..], &[("/b", "/c"), ("/c", "/d"), ("/d", "/e")]] {
        let registry = FakeRegistry::start_at(&["/e"], numbered("com.example", 3)).await;
        for (from, to) in chain.iter().chain(&[("/v0.1/servers", "/b")]) {
            let (from, to) = ((*from).to_owned(), (*to).to_owned());
            registry.when(move |seen| seen.path == from, Behaviour::Redirect(to));
        }
        let proxy = Setup::new().settings(SETTINGS).registry("alpha", &registry.url()).start().await;
        let status = proxy.until_state("alpha", "unhealthy").await;
        assert!(status["lastCheck"]["stages"][1].to_string().contains("more than 3 times"), "{status}");
        assert!(registry.requests_where(|seen| seen.path == "/e").is_empty());
        proxy.stop().await;
    }
}

#[tokio::test]
async fn a_redirect_to_another_server_is_refused_and_that_one_hears_nothing() {
    let registry = FakeRegistry::start(Vec::new()).await;
    let other = FakeRegistry::start(numbered("com.example", 3)).await;
    for (location, reason) in [
        (other.url(), "to another port"),
        (format!("http://localhost:{}/v0.1/servers", other.port()), "to another host"),
        (format!("http://127.1:{}/v0.1/servers", other.port()), "to another port"),
        (format!("http://[::ffff:127.0.0.1]:{}/v0.1/servers", other.port()), "to another host"),
        (format!("https://127.0.0.1:{}/v0.1/servers", other.port()), "to another port"),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), "to another host"),
        ("//169.254.169.254/latest/meta-data/".to_owned(), "to another host"),
        ("http://2852039166/".to_owned(), "to another host"),
        ("http://[fe80::1]/".to_owned(), "to another host"),
        (format!("http://127.0.0.1:{}@10.0.0.1/", registry.port()), "to another host"),
        ("gopher://127.0.0.1/".to_owned(), "redirected from http to gopher"),
    ] {
        let found = refused(&registry, &location).await;
        assert!(found.contains(reason), "{location}: {found}");
    }
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    let authority = Authority::new("ours");
    let location = "HTTP/1.1 302 Found\r\nLocation: http://localhost/v0.1/servers\r\nContent-Length: 0\r\n\r\n";
    let registry = TlsRegistry::start(authority.issue("localhost", 2000, 2100), location.to_owned()).await;
    let setup = Setup::new().settings(SETTINGS).settings("[network]\nproxy = \"off\"\nca_file = \"authority.pem\"\n");
    std::fs::write(setup.path("authority.pem"), &authority.pem).expect("a writable directory");
    let proxy = setup.registry("alpha", &registry.url()).start().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert!(status["lastCheck"]["stages"][1].to_string().contains("redirected from https to http"), "{status}");
    proxy.stop().await;
}

#[tokio::test]
async fn a_configured_host_may_be_this_machine_by_name() {
    let registry = FakeRegistry::start(numbered("com.example", 3)).await;
    let url = format!("http://localhost:{}/v0.1/servers", registry.port());
    let proxy = Setup::new().registry("alpha", &url).start_ready().await;
    assert_eq!(proxy.walk("", 100).await.len(), 3);
    assert!(registry.requests_where(Seen::is_page).iter().all(|seen| seen.header("host").starts_with("localhost:")));
    proxy.stop().await;
}

#[tokio::test]
async fn a_name_that_leads_nowhere_is_said_to() {
    let proxy = Setup::new().settings(SETTINGS).registry("alpha", "http://nowhere.invalid/v0/servers").start().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    let stage = &status["lastCheck"]["stages"][0];
    assert!(stage["reason"].as_str().is_some_and(|reason| reason.starts_with("no connection: ")), "{stage}");
    proxy.stop().await;
}

#[tokio::test]
async fn addresses_that_can_be_no_registrys_are_a_bad_configuration() {
    let workplace = Workplace::new();
    for url in
        ["http://169.254.169.254/v0", "https://[fe80::1]/v0", "http://0xa9fea9fe/v0", "http://[::ffff:a9fe:a9fe]/"]
    {
        workplace.write("proxy.toml", format!("[[registries]]\nname = \"alpha\"\nurl = {url:?}\n"));
        let finished = workplace.run(&["serve", "--config", "proxy.toml"]).await;
        let error = finished.stderr();
        assert_eq!(finished.code(), Some(64), "{url}: {error}");
        assert!(error.contains("proxy.toml: `registries.alpha.url` names ") && error.contains("link-local"), "{error}");
    }
}
