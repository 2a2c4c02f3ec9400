//! No connection, or one on which nothing comes (U1 to U8, U12, U13).

use std::time::Duration;

use super::{IMPATIENT, Trial, few, three_pages};
use crate::support::entry::{keys_of, numbered};
use crate::support::proxy::Setup;
use crate::support::registry::{Behaviour, End, FakeRegistry, Seen};

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";

#[tokio::test]
async fn u01_connection_refused() {
    let trial = Trial::start(few(), "").await;
    trial.faulty.close_port().await;
    trial.until_dropped("network", "refused").await;
    trial.faulty.open_port().await;
    trial.until_healthy().await;
    trial.end().await;
}

/// The resolver is the system's: what can be broken and mended here is the name. A name is part of the URL, and a
/// listing belongs to its URL, so what the old one listed is not listed any more.
#[tokio::test]
async fn u02_a_name_that_does_not_exist() {
    let (faulty, steady) = (FakeRegistry::start(few()).await, FakeRegistry::start(numbered("com.steady", 3)).await);
    let with = |url: &str| Setup::new().registry("faulty", url).registry("steady", &steady.url());
    let (all, rest) = (keys_of(&[few(), numbered("com.steady", 3)].concat()), keys_of(&numbered("com.steady", 3)));
    let proxy = with(&faulty.url()).start_ready().await;
    proxy.until_listed(&all).await;
    proxy.reconfigure(with("http://nowhere.invalid/v0.1/servers"));
    let is_so = |status: &serde_json::Value| status["state"] == "unhealthy" && super::failure(status).0 == "network";
    proxy.until("faulty", "the name was not found", is_so).await;
    proxy.until_listed(&rest).await;
    assert_eq!(proxy.registry("steady").await["state"], "healthy");
    proxy.reconfigure(with(&faulty.url()));
    proxy.until_state("faulty", "healthy").await;
    proxy.until_listed(&all).await;
    proxy.stop().await;
}

#[tokio::test]
async fn u05_black_hole() {
    let trial = Trial::start(few(), IMPATIENT).await;
    trial.faulty.hang_port().await;
    trial.until_dropped("network", "connecting took longer than 0.3").await;
    trial.faulty.open_port().await;
    trial.until_healthy().await;
    trial.end().await;
}

#[tokio::test]
async fn u06_silence() {
    let trial = Trial::start(few(), IMPATIENT).await;
    for bytes in ["", HEAD] {
        let reason = "no complete answer within 0.3 s";
        trial.drops(Behaviour::wire(bytes, End::Silence), "response", reason).await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u07_body_byte_by_byte() {
    let trial = Trial::start(few(), IMPATIENT).await;
    let body = format!("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{{\"servers\":[{}", " ".repeat(9_000));
    let fault = Behaviour::drip(body, Duration::from_millis(2));
    trial.drops(fault, "response", "no complete answer within 0.3 s").await;
    trial.end().await;
}

#[tokio::test]
async fn u08_head_byte_by_byte() {
    let trial = Trial::start(few(), IMPATIENT).await;
    let fault = Behaviour::drip(format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(9_000)), Duration::from_millis(2));
    trial.drops(fault, "response", "no complete answer within 0.3 s").await;
    trial.end().await;
}

#[tokio::test]
async fn u12_reset_inside_the_body() {
    let trial = Trial::start(few(), "").await;
    let fault = Behaviour::wire(format!("{HEAD}{{\"servers\":["), End::Reset);
    trial.drops(fault, "response", "broke off").await;
    trial.end().await;
}

#[tokio::test]
async fn u12_reset_inside_a_page() {
    let trial = Trial::start(three_pages(), "").await;
    let fault = Behaviour::wire(format!("{HEAD}{{\"servers\":["), End::Reset);
    trial.keeps(fault, "broke off").await;
    trial.end().await;
}

#[tokio::test]
async fn u13_reset_and_close_before_an_answer() {
    let trial = Trial::start(few(), "").await;
    trial.drops(Behaviour::CloseBeforeResponse, "response", "broke off").await;
    trial.drops(Behaviour::Reset, "response", "broke off").await;
    trial.end().await;
}

/// A page that is not answered and then is: nobody notices.
#[tokio::test]
async fn u13_close_before_an_answer_and_then_success() {
    let trial = Trial::start(few(), "").await;
    let since = trial.proxy.registry("faulty").await["since"].clone();
    trial.faulty.forget_requests();
    trial.faulty.next_when(2, Seen::is_page, Behaviour::CloseBeforeResponse);
    trial.list(numbered("com.faulty", 4));
    trial.until_healthy().await;
    assert_eq!(trial.proxy.registry("faulty").await["since"], since, "it stayed healthy");
    trial.end().await;
}
