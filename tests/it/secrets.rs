//! Credentials reach the registry that they are for, and nothing else: not the log, however much it says, not the
//! API, not the output of a command.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use crate::support::binary::Workplace;
use crate::support::http::send;
use crate::support::proxy::Setup;
use crate::support::raw::{RawServer, nobody};
use crate::support::registry::{Behaviour, FakeRegistry};
use crate::support::tls::{Certificate, SETTINGS};
use crate::support::{check, eventually};

/// What must not be found anywhere.
const CANARY: &str = "c4n4ryS3cretQ";

/// Registries that fail, each in its own way, each with a secret.
async fn registries(workplace: &Workplace) -> (String, Vec<FakeRegistry>, RawServer) {
    let mut servers = Vec::new();
    for behaviour in [
        Behaviour::status(401),
        Behaviour::status(500),
        Behaviour::Redirect(format!("http://other.example/?token={CANARY}")),
        Behaviour::Reset,
        Behaviour::json(&serde_json::json!({ "error": CANARY })),
    ] {
        let server = FakeRegistry::start(Vec::new()).await;
        server.always(behaviour);
        servers.push(server);
    }
    let garbage = RawServer::start(&b"no HTTP\r\n\r\n"[..]).await;
    workplace.write("token", CANARY);
    let with_userinfo = |url: &str| url.replacen("://", &format!("://user:{CANARY}@"), 1) + &format!("?key={CANARY}");
    let mut text = String::new();
    for (index, server) in servers.iter().enumerate() {
        let credentials =
            ["bearer_token = \"${TOKEN}\"", "bearer_token_file = \"token\"", "headers = { X-Key = \"${TOKEN}\" }"];
        let credentials = credentials[index % 3].replace("${TOKEN}", CANARY);
        let _ = write!(text, "[[registries]]\nname = \"r{index}\"\nurl = {:?}\n{credentials}\n", server.url());
        let url = with_userinfo(&server.url());
        let _ = write!(text, "[[registries]]\nname = \"u{index}\"\nurl = {url:?}\n");
    }
    for (name, url) in [("garbage", garbage.url()), ("nobody", nobody().await)] {
        let _ = write!(text, "[[registries]]\nname = {name:?}\nurl = {:?}\n", with_userinfo(&url));
    }
    (text, servers, garbage)
}

/// What must not be found anywhere, in the forms that it has on the wire.
fn assert_no_canary(what: &str, text: &str) {
    let basic = STANDARD.encode(format!("user:{CANARY}"));
    for canary in [CANARY, &basic] {
        let found = text.lines().find(|line| line.contains(canary));
        assert!(found.is_none(), "{what} has the secret: {found:?}");
    }
}

async fn serve_and_look(network: &str) {
    look_into(&Workplace::new(), network, "").await;
}

/// Serves those registries and one more, and looks at everything that it says.
async fn look_into(workplace: &Workplace, network: &str, more: &str) {
    let (registries, servers, _garbage) = registries(workplace).await;
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[network]\n{network}\n[log]\nformat = \"json\"\nlevel = \"trace,h2=trace\"\n[store]\n\
         path = \"store\"\n[health]\ninterval = \"50ms\"\n[refresh]\nmax_rate = 1000\n{registries}{more}"
    );
    workplace.write("proxy.toml", configuration);
    let mut serving = workplace.serve(&["--config", "proxy.toml"]).await;
    eventually("every registry was found wanting", async || {
        let registries = send(serving.address, Method::GET, "/registries").await.json();
        let registries = registries["registries"].as_array().cloned().unwrap_or_default();
        check(registries.iter().all(|registry| registry["state"] == "unhealthy"), registries)
    })
    .await;
    let mut targets: Vec<String> =
        ["/registries", "/v0.1/servers", "/v0.1/servers/a%2Fb/versions/1", "/readyz"].map(str::to_owned).into();
    for name in ["r", "u"] {
        targets.extend((0..servers.len()).map(|index| format!("/registries/{name}{index}")));
    }
    for target in targets {
        let reply = send(serving.address, Method::GET, &target).await;
        assert_no_canary(&target, &format!("{:?}\n{}", reply.headers, reply.text()));
    }
    if !more.is_empty() {
        let shown = send(serving.address, Method::GET, "/registries/h2").await;
        assert!(shown.text().contains("status 404"), "it was reached: {}", shown.text());
        assert_no_canary("/registries/h2", shown.text());
    }
    serving.signal("TERM");
    assert_eq!(serving.exit_code().await, Some(0));
    let log = serving.log();
    assert!(log.lines().count() > 12, "the log says something: {log}");
    assert!(more.is_empty() || log.contains("Headers"), "trace shows what HTTP/2 does: {log}");
    assert_no_canary("the log", &log);
    let finished = workplace.run(&["test", "--config", "proxy.toml"]).await;
    assert_eq!(finished.code(), Some(1));
    assert_no_canary("`test`", &(finished.stdout() + &finished.stderr()));
    // The secrets did reach those whom they are for.
    if network.contains("off") {
        let basic = format!("Basic {}", STANDARD.encode(format!("user:{CANARY}")));
        let bearer = format!("Bearer {CANARY}");
        let seen = servers[0].requests();
        assert!(seen.iter().any(|seen| seen.header("authorization") == bearer));
        assert!(seen.iter().any(|seen| seen.header("authorization") == basic));
        assert!(servers[2].requests().iter().any(|seen| seen.header("x-key") == CANARY));
    }
}

#[tokio::test]
async fn no_secret_of_a_registry_is_said() {
    serve_and_look("proxy = \"off\"").await;
}

#[tokio::test]
async fn no_secret_is_said_over_http2() {
    let certificate = Certificate::new();
    let setup = Setup::new().settings(SETTINGS).file("curated", "[]");
    certificate.write(setup.path("").as_path());
    let registry = setup.start().await;
    let workplace = Workplace::new();
    workplace.write("authority.pem", &certificate.chain);
    let url = format!("https://localhost:{}/nothing/servers?key={CANARY}", registry.address().port());
    let more = format!("[[registries]]\nname = \"h2\"\nurl = {url:?}\nbearer_token = \"{CANARY}\"\n");
    look_into(&workplace, "proxy = \"off\"\nca_file = \"authority.pem\"", &more).await;
    registry.stop().await;
}

#[tokio::test]
async fn no_secret_is_said_where_a_proxy_is_in_between() {
    let proxy = RawServer::start(&b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"[..]).await;
    let url = proxy.url().replace("/v0.1/servers", "").replacen("://", &format!("://user:{CANARY}@"), 1);
    serve_and_look(&format!("proxy = {url:?}")).await;
    let gone = nobody().await.replace("/v0.1/servers", "").replacen("://", &format!("://user:{CANARY}@"), 1);
    serve_and_look(&format!("proxy = {gone:?}")).await;
}

#[test]
fn no_form_of_the_configuration_shows_a_secret() {
    use mcp_registry_proxy::config::{self, Flags};
    use mcp_registry_proxy::registry::Network;

    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("proxy.toml");
    let text = format!(
        "[network]\nproxy = \"http://user:{CANARY}@127.0.0.1:1\"\n[store]\nurl = \"redis://:{CANARY}@127.0.0.1\"\n\
         [[registries]]\nname = \"a\"\nurl = \"https://user:{CANARY}@x.example/?key={CANARY}\"\nbearer_token = \"{CANARY}\"\n\
         headers = {{ X-Key = \"{CANARY}\" }}\n"
    );
    std::fs::write(&path, text).expect("a writable directory");
    let loaded = config::load(&[path], &Flags::default()).expect("a valid configuration");
    assert_no_canary("the configuration", &format!("{loaded:?}"));
    let network = Network::new(&loaded.config.network).expect("a network");
    assert_no_canary("the network", &format!("{network:?}"));
    assert_no_canary("the target", &format!("{:?}", loaded.config.registries[0].target()));
}
