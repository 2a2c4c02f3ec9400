//! The configuration is read again and again, by signals and by changes, while clients ask without a pause.

use std::time::Duration;

use http::Method;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::load::Load;
use super::{configuration, of_a_file, serve};
use crate::support::binary::{Serving, Workplace};
use crate::support::http::send;
use crate::support::{check, eventually};

/// Puts a file in the place of another in one step.
fn replace(workplace: &Workplace, text: &str) {
    let new = workplace.write("new", text);
    std::fs::rename(new, workplace.path("proxy.toml")).expect("a writable directory");
}

/// Waits until answers may be kept for so long.
async fn until_max_age(serving: &Serving, seconds: usize) {
    let expected = format!("max-age={seconds},");
    eventually("the change was taken", async || {
        let reply = send(serving.address, Method::GET, "/v0.1/servers").await;
        check(reply.header("cache-control").contains(&expected), reply.header("cache-control"))
    })
    .await;
}

async fn reload(times: usize) {
    let workplace = of_a_file(100);
    let serving = serve(&workplace).await;
    let mut load = Load::start(serving.address, 64).await;
    for number in 1..=times {
        let age = 5 + number % 20;
        let text = configuration("file = \"alpha.json\"") + &format!("[cache]\nmax_age = \"{age}s\"\n");
        // Every fifth is wrong, and changes nothing.
        if number % 5 == 0 {
            replace(&workplace, &text.replace("[cache]", "[cash]"));
            serving.signal("HUP");
            let refused = || send(serving.address, Method::GET, "/registries");
            eventually("it was refused", async || {
                let state = refused().await.json()["metadata"]["configuration"].take();
                check(!state["refused"].is_null(), state)
            })
            .await;
        }
        replace(&workplace, &text);
        serving.signal("HUP");
        until_max_age(&serving, age).await;
    }
    load.until_answered(64).await;
    assert!(load.is_whole(), "no connection ended, and so no request was lost");
}

#[tokio::test]
async fn p09_reload_under_load() {
    reload(20).await;
}

#[tokio::test]
#[ignore = "takes long"]
async fn p09_reload_under_load_in_full() {
    reload(100).await;
}

#[tokio::test]
async fn p10_a_hundred_hangups_a_second() {
    let workplace = of_a_file(100);
    let mut serving = serve(&workplace).await;
    let mut load = Load::start(serving.address, 16).await;
    let open_files = serving.open_files();
    let id = i32::try_from(serving.id()).ok().and_then(Pid::from_raw).expect("a process");
    for _ in 0..100 {
        kill_process(id, Signal::HUP).expect("the process takes signals");
        sleep(Duration::from_millis(10)).await;
    }
    load.until_answered(64).await;
    assert!(load.is_whole(), "no connection ended, and so no request was lost");
    eventually("file descriptors were as before", async || {
        let now = serving.open_files();
        check(now <= open_files + 3, (open_files, now))
    })
    .await;
    // And a change is still taken.
    replace(&workplace, &(configuration("file = \"alpha.json\"") + "[cache]\nmax_age = \"77s\"\n"));
    serving.signal("HUP");
    until_max_age(&serving, 77).await;
    assert!(serving.is_running() && serving.log_with("panicked").is_empty(), "{}", serving.log());
}
