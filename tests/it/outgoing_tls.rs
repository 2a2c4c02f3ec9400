//! TLS to registries (U46): always verified, with authorities of one's own where the configuration names them.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::entry::{Entry, list};
use crate::support::proxy::Setup;
use crate::support::registry::FakeRegistry;
use crate::support::tls_registry::{Authority, TlsRegistry, self_signed};

const SETTINGS: &str = "[health]\nunhealthy_after = 1\nhealthy_after = 1\n";
const TRUSTED: &str = "[network]\nproxy = \"off\"\nca_file = \"authority.pem\"\n";

fn answer() -> String {
    let list = list(&[Entry::new("com.example/a", "1.0.0")], None).to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{list}", list.len())
}

/// A proxy that trusts an authority of its own.
fn trusting(authority: &Authority) -> Setup {
    let setup = Setup::new().settings(SETTINGS).settings(TRUSTED);
    std::fs::write(setup.path("authority.pem"), &authority.pem).expect("a writable directory");
    setup
}

#[tokio::test]
async fn certificates_that_prove_nothing_are_refused_and_good_ones_taken_again() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("a stranger"));
    let good = || authority.issue("localhost", 2000, 2100);
    let registry = TlsRegistry::start(good(), answer()).await;
    let proxy = trusting(&authority).registry("alpha", &registry.url()).start().await;
    proxy.until_state("alpha", "healthy").await;
    for (shown, expected) in [
        (authority.issue("localhost", 2000, 2001), "expired"),
        (authority.issue("localhost", 2099, 2100), "not valid yet"),
        (authority.issue("other.example", 2000, 2100), "not valid for name"),
        (self_signed("localhost"), "unknown authority"),
        (stranger.issue("localhost", 2000, 2100), "`network.ca_file`"),
    ] {
        registry.show(shown);
        let status = proxy.until_state("alpha", "unhealthy").await;
        let stage = &status["lastCheck"]["stages"][0];
        assert_eq!((&stage["stage"], &stage["ok"]), (&"network".into(), &false.into()), "{status}");
        assert!(stage["reason"].as_str().is_some_and(|reason| reason.contains(expected)), "{expected}: {stage}");
        registry.show(good());
        proxy.until_state("alpha", "healthy").await;
    }
    proxy.until_listed(&["com.example/a@1.0.0".to_owned()]).await;
    proxy.stop().await;
}

#[tokio::test]
async fn a_private_authority_is_trusted_only_where_it_is_configured() {
    let authority = Authority::new("ours");
    let registry = TlsRegistry::start(authority.issue("localhost", 2000, 2100), answer()).await;
    let proxy = Setup::new().settings(SETTINGS).registry("alpha", &registry.url()).start().await;
    let status = proxy.until_state("alpha", "unhealthy").await;
    assert!(status["lastCheck"]["stages"][0].to_string().contains("unknown authority"), "{status}");
    proxy.stop().await;
}

#[tokio::test]
async fn who_speaks_no_tls_or_only_an_old_one_is_said_to_do_so() {
    let plain = FakeRegistry::start(Vec::new()).await;
    // What a server says that knows no more than TLS 1.1: a fatal alert, protocol_version (RFC 5246 §7.2.2).
    let old = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let old_url = format!("https://{}/v0.1/servers", old.local_addr().expect("an address"));
    let answering = async {
        loop {
            let (mut stream, _) = old.accept().await.expect("a connection");
            let _ = stream.write_all(&[0x15, 3, 2, 0, 2, 2, 70]).await;
        }
    };
    let asking = async {
        let proxy = Setup::new()
            .settings(SETTINGS)
            .registry("plain", &plain.url().replace("http:", "https:"))
            .registry("old", &old_url)
            .start()
            .await;
        for (name, expected) in [("plain", "does not speak TLS"), ("old", "ProtocolVersion")] {
            let status = proxy.until_state(name, "unhealthy").await;
            assert!(status["lastCheck"]["stages"][0].to_string().contains(expected), "{status}");
        }
        proxy.stop().await;
    };
    tokio::select! {
        () = answering => {}
        () = asking => {}
    }
}
