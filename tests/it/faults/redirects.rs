//! Redirects (U42 to U45). What names and addresses may be asked at all is `addresses` and `src/registry/addresses.rs`.

use super::{AT_ONCE, Trial, few, three_pages};
use crate::support::entry::numbered;
use crate::support::registry::{Behaviour, FakeRegistry, Seen};

#[tokio::test]
async fn u42_redirects_on_the_same_server() {
    let entries = few();
    let faulty = FakeRegistry::start_at(&["/v0.1/servers", "/list"], entries.clone()).await;
    let trial = Trial::over(faulty, entries, "", crate::support::proxy::Setup::new().settings(super::WALKS)).await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    for status in [301, 302, 303, 307, 308] {
        trial.faulty.forget_requests();
        trial.faulty.when(
            |seen| seen.path == "/v0.1/servers",
            Behaviour::depends(move |seen| {
                Behaviour::Status(status, vec![("location", format!("/list?{}", seen.query))])
            }),
        );
        let is_followed = |seen: &Seen| seen.path == "/list" && seen.is_probe();
        crate::support::eventually("the redirect was followed", async || {
            let followed = trial.faulty.requests_where(is_followed).len();
            crate::support::check(followed >= 2, followed)
        })
        .await;
        trial.faulty.behave();
        trial.until_healthy().await;
    }
    assert_eq!(trial.proxy.registry("faulty").await["since"], since, "a redirect is no fault");
    trial.end().await;
}

#[tokio::test]
async fn u42_redirect_loop() {
    let trial = Trial::start(few(), AT_ONCE).await;
    trial.drops(Behaviour::Redirect("/v0.1/servers?limit=3".to_owned()), "response", "more than 3 times").await;
    trial.faulty.when(|seen| seen.path == "/b", Behaviour::Redirect("/v0.1/servers".to_owned()));
    trial.drops(Behaviour::Redirect("/b".to_owned()), "response", "more than 3 times").await;
    trial.end().await;
}

#[tokio::test]
async fn u42_redirect_loop_in_mid_walk() {
    let trial = Trial::start(three_pages(), "").await;
    trial.keeps(Behaviour::depends(|seen| Behaviour::Redirect(format!("?{}", seen.query))), "more than 3 times").await;
    trial.end().await;
}

#[tokio::test]
async fn u43_redirect_to_a_metadata_address() {
    let trial = Trial::start(few(), AT_ONCE).await;
    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "//169.254.169.254/latest/meta-data/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
        "http://metadata.google.internal/",
    ] {
        trial.drops(Behaviour::Redirect(location.to_owned()), "response", "to another host").await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u45_redirect_to_another_server() {
    let other = FakeRegistry::start(numbered("com.other", 3)).await;
    let trial = Trial::start(few(), &format!("bearer_token = \"s3cret\"\n{AT_ONCE}")).await;
    let by_name = format!("http://localhost:{}/v0.1/servers", other.port());
    for (location, reason) in [(other.url(), "to another port"), (by_name, "to another host")] {
        trial.drops(Behaviour::Redirect(location), "response", reason).await;
    }
    assert!(other.requests().is_empty(), "it hears nothing, and no secret: {:?}", other.requests());
    trial.end().await;
}
