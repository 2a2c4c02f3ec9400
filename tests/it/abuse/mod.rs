//! What clients may do to us, row by row of the catalogue (`docs/faults.md`, C1–C30): each test abuses the proxy,
//! sees what it promises meanwhile, and afterwards that it answers as before and that nothing of the abuse is left.
//! Rows that other tests hold are not held twice.

mod crowds;
mod floods;
mod frames;
mod framing;
mod queries;
mod slow;
mod smuggling;
mod strangers;

use std::time::Duration;

use http::Method;
use tokio::time::{Instant, sleep};

use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{list, numbered};
use crate::support::http::send;
use crate::support::{check, eventually};

/// How soon a well-behaved client is answered, whatever the others do. It is the median that counts: the machine
/// that runs the tests has other things to do.
const AT_ONCE: Duration = Duration::from_millis(100);
/// The time between two questions of the well-behaved client.
const BETWEEN: Duration = Duration::from_millis(10);
/// How many file descriptors may come and go by themselves.
const MARGIN: usize = 3;

const CONFIGURATION: &str = "[server]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"off\"\n[network]\nproxy = \"off\"\n\
                             [log]\nformat = \"json\"\n[store]\npath = \"off\"\n\
                             [[registries]]\nname = \"curated\"\nfile = \"curated.json\"\n";

/// The real binary, and what it had before the abuse.
pub(super) struct Victim {
    serving: Serving,
    open_files: usize,
    memory: u64,
    _workplace: Workplace,
}

impl Victim {
    async fn start() -> Self {
        Self::start_with("", &list(&numbered("com.example", 100), None).to_string()).await
    }

    async fn start_with(settings: &str, servers: &str) -> Self {
        let workplace = Workplace::new();
        workplace.write("curated.json", servers);
        workplace.write("proxy.toml", CONFIGURATION);
        workplace.write("more.toml", settings);
        let serving = workplace.serve(&["--config", "proxy.toml", "--config", "more.toml"]).await;
        let address = serving.address;
        eventually("/readyz was 200", async || {
            let reply = send(address, Method::GET, "/readyz").await;
            check(reply.status == 200, reply.text())
        })
        .await;
        // What is made once, at the first requests, is no leak.
        let mut victim = Self { serving, open_files: 0, memory: 0, _workplace: workplace };
        for _ in 0..10 {
            victim.ask().await;
        }
        victim.open_files = victim.serving.open_files();
        victim.memory = victim.serving.memory();
        victim
    }

    /// Asks as a well-behaved client; says how long the answer took.
    async fn ask(&self) -> Duration {
        let started = Instant::now();
        let reply = send(self.serving.address, Method::GET, "/v0.1/servers?limit=30").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        started.elapsed()
    }

    /// Asks again and again while it is abused.
    async fn while_abused<T>(&self, abuse: impl Future<Output = T>) -> T {
        let times = std::cell::RefCell::new(Vec::new());
        let asking = async {
            loop {
                let time = self.ask().await;
                times.borrow_mut().push(time);
                sleep(BETWEEN).await;
            }
        };
        let done = tokio::select! {
            done = abuse => done,
            () = asking => unreachable!("it asks for ever"),
        };
        let mut times = times.into_inner();
        times.push(self.ask().await);
        times.sort();
        assert!(times[times.len() / 2] < AT_ONCE, "it was answered after {times:?}");
        done
    }

    /// By how much its memory has grown, in bytes.
    fn growth(&self) -> u64 {
        self.serving.memory().saturating_sub(self.memory)
    }

    /// Waits until nothing of the abuse is left; its memory may have grown by so much.
    async fn recovers(&mut self, growth: u64) {
        eventually("file descriptors were as before", async || {
            let open_files = self.serving.open_files();
            check(open_files <= self.open_files + MARGIN, (self.open_files, open_files))
        })
        .await;
        eventually("it answered at once", async || {
            let time = self.ask().await;
            check(time < AT_ONCE, time)
        })
        .await;
        assert!(self.growth() <= growth, "{} bytes more than the {} before", self.growth(), self.memory);
        assert!(self.serving.is_running());
        assert!(self.serving.log_with("panicked").is_empty(), "{}", self.serving.log());
    }
}
