//! Bytes that are no HTTP, or HTTP that is wrong (U9 to U11, U14 to U16).

use std::fmt::Write as _;

use super::{AT_ONCE, Trial, few, three_pages};
use crate::support::entry::list;
use crate::support::registry::{Behaviour, End};

fn body() -> String {
    list(&few(), None).to_string()
}

/// An answer with these headers.
fn answer(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{headers}\r\n{body}")
}

/// Each of these in place of every answer fails the test in its second stage.
async fn drops_each(faults: Vec<(String, &str)>) {
    let trial = Trial::start(few(), AT_ONCE).await;
    for (bytes, reason) in faults {
        trial.drops(Behaviour::wire(bytes, End::Close), "response", reason).await;
    }
    trial.end().await;
}

#[tokio::test]
async fn u09_truncated_body() {
    let list = body();
    let cut =
        |percent: usize| answer(&format!("Content-Length: {}\r\n", list.len()), &list[..list.len() * percent / 100]);
    drops_each([10, 50, 99].map(|percent| (cut(percent), "broke off")).to_vec()).await;
}

#[tokio::test]
async fn u09_truncated_page() {
    let trial = Trial::start(three_pages(), "").await;
    trial.keeps(Behaviour::Truncated, "broke off").await;
    trial.end().await;
}

#[tokio::test]
async fn u10_wrong_length() {
    let list = body();
    let of = |length: &str| answer(&format!("Content-Length: {length}\r\n"), &list);
    let length = list.len();
    let two = format!("5\r\nContent-Length: {length}");
    let faults = [(length + 9).to_string(), "-1".to_owned(), two];
    drops_each(faults.map(|length| (of(&length), "broke off")).to_vec()).await;
    // What is too short is a body all the same: of half a list.
    let trial = Trial::start(few(), AT_ONCE).await;
    let fault = Behaviour::wire(of(&(length - 9).to_string()), End::Close);
    trial.drops(fault, "format", "not JSON").await;
    trial.end().await;
}

#[tokio::test]
async fn u11_broken_chunks() {
    let list = body();
    let chunked = |body: &str| (answer("Transfer-Encoding: chunked\r\n", body), "broke off");
    drops_each(vec![
        chunked("xyz\r\n{}\r\n0\r\n\r\n"),
        chunked("ffffffffffffffffff\r\n{}"),
        chunked(&format!("{:x}\r\n{list}\r\n", list.len())),
    ])
    .await;
}

#[tokio::test]
async fn u14_garbage() {
    drops_each(vec![("\x00\x01\x02 garbage \u{7f}\r\n\r\n".to_owned(), "broke off")]).await;
}

#[tokio::test]
async fn u15_http_0_9() {
    drops_each(vec![(body(), "broke off")]).await;
}

#[tokio::test]
async fn u16_a_head_without_end() {
    let list = body();
    let lines = (0..500).fold(String::new(), |mut text, number| {
        let _ = write!(text, "X-{number}: y\r\n");
        text
    });
    let length = list.len();
    drops_each(vec![
        (answer(&format!("{lines}Content-Length: {length}\r\n"), &list), "broke off"),
        (answer(&format!("X: {}\r\nContent-Length: {length}\r\n", "y".repeat(1 << 20)), &list), "broke off"),
    ])
    .await;
}
