//! Several replicas on one Redis are one proxy: real processes, a real Redis, and a registry that counts.

mod counts;
mod faults;
mod fencing;
mod forms;
mod held;
mod load;
mod look_ups;
mod losses;
mod models;
mod partitions;
mod together;
mod watch;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::Method;
use serde_json::Value;

use crate::support::binary::{Serving, Workplace};
use crate::support::entry::{Entry, numbered};
use crate::support::http::{Reply, send};
use crate::support::redis::{Redis, Wire};
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::{check, eventually};

/// How long a lease lives in these tests: short, and long enough for a machine that is busy.
const LEASE: Duration = Duration::from_millis(900);
/// How far a follower may be behind while Redis is well.
const BEHIND: Duration = Duration::from_secs(2);
/// By which a registry knows which replica asks it.
const WHO: &str = "x-replica";
/// Later than any request: whoever asks for what has changed gets it.
const LATER: &str = "2100-01-01T00:00:00Z";

/// One replica as a process of its own, with its wire to Redis.
struct Replica {
    /// What it calls itself where it asks registries.
    name: String,
    place: Workplace,
    wire: Wire,
    process: Serving,
}

/// In the configuration of a registry, where the replica's name goes.
const NAMED: &str = "headers = { x-replica = \"NAME\" }";

/// What a replica is started with, besides what all have.
#[derive(Clone, Default)]
struct Setup {
    registries: String,
    /// Where Redis is, where that is not at the end of the replica's wire.
    url: Option<String>,
    /// More keys, of sections that tests do not have.
    settings: String,
}

impl Setup {
    fn of(fake: &FakeRegistry) -> Self {
        Self::default().registry("alpha", fake)
    }

    fn registry(mut self, name: &str, fake: &FakeRegistry) -> Self {
        let _ = writeln!(self.registries, "[[registries]]\nname = {name:?}\nurl = {:?}\n{}", fake.url(), NAMED);
        self
    }
}

impl Replica {
    async fn start(redis: &Redis, setup: &Setup) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let name = format!("replica-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let wire = Wire::to(redis.address()).await;
        let place = Workplace::new();
        let process = Self::run(&name, &place, &wire, setup).await;
        Self { name, place, wire, process }
    }

    async fn run(name: &str, place: &Workplace, wire: &Wire, setup: &Setup) -> Serving {
        let Setup { registries, url, settings } = setup;
        let url = url.clone().unwrap_or_else(|| format!("redis://{}", wire.address()));
        let base = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[network]\nproxy = \"off\"\n{settings}[log]\nformat = \"json\"\n\
             [store]\nurl = \"{url}\"\nlease = \"{}ms\"\n[read_through]\nenabled = false\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n[health]\ninterval = \"200ms\"\ntimeout = \"5s\"\n[refresh]\ninterval = \"200ms\"\nmax_rate = 1000\n",
            LEASE.as_millis(),
        );
        let base = place.write("base.toml", base).to_string_lossy().into_owned();
        let own = place.write("own.toml", registries.replace("NAME", name)).to_string_lossy().into_owned();
        // What tests usually say in the environment counts more than a file.
        let preparation = "unset MCP_REGISTRY_PROXY__ADMIN__LISTEN";
        place.serve_after(preparation, &["--config", &base, "--config", &own]).await
    }

    /// Starts it again, after its process has ended.
    async fn again(&mut self, setup: &Setup) {
        self.process = Self::run(&self.name, &self.place, &self.wire, setup).await;
    }

    /// Where its admin listener is.
    fn admin(&self) -> SocketAddr {
        let said = self.process.log_with("\"admin\"").into_iter().rev().find_map(|line| {
            let line: Value = serde_json::from_str(&line).ok()?;
            line["admin"].as_str()?.strip_prefix("http://")?.parse().ok()
        });
        said.expect("it says where its admin listener is")
    }

    /// Whether it was this one that asked a registry.
    fn has_asked(&self, seen: &Seen) -> bool {
        seen.header(WHO) == self.name
    }

    async fn get(&self, target: &str) -> Reply {
        send(self.process.address, Method::GET, target).await
    }

    async fn json(&self, target: &str) -> Value {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{target} was answered with {}", reply.text());
        reply.json()
    }

    /// How it stands.
    async fn standing(&self) -> Value {
        self.json("/registries").await["metadata"]["replica"].take()
    }

    #[track_caller]
    fn until_role(&self, role: &str) -> impl Future<Output = Value> {
        eventually("the replica had that role", async move || {
            let standing = self.standing().await;
            if standing["role"] == role { Ok(standing) } else { Err(standing.to_string()) }
        })
    }

    /// Waits until it lists so many versions.
    #[track_caller]
    fn until_counted(&self, count: usize) -> impl Future<Output = ()> {
        eventually("the replica listed as many", async move || {
            let reply = self.get("/v0.1/servers?limit=100&include_deleted=true").await;
            let found = (reply.status == 200).then(|| reply.json()["servers"].as_array().map(Vec::len));
            check(found == Some(Some(count)), (found, reply.text().to_owned()))
        })
    }
}

/// So many names, of which all after the first ones are newer than any increment that has been.
fn grown(from: usize, count: usize) -> Vec<Entry> {
    let dated = |(number, entry): (usize, Entry)| if number < from { entry } else { entry.published_at(LATER) };
    numbered("com.example", count).into_iter().enumerate().map(dated).collect()
}

fn all(replicas: &[Replica]) -> Vec<&Replica> {
    replicas.iter().collect()
}

/// All but one of them.
fn all_but(left_out: usize, replicas: &[Replica]) -> Vec<&Replica> {
    replicas.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, replica)| replica).collect()
}

/// Waits until each of them lists so many versions.
async fn until_all_counted(replicas: &[&Replica], count: usize) {
    for replica in replicas {
        replica.until_counted(count).await;
    }
}

/// So many replicas, all of which have taken up the same.
async fn replicas(count: usize, redis: &Redis, setup: &Setup) -> Vec<Replica> {
    let mut started = Vec::new();
    for _ in 0..count {
        started.push(Replica::start(redis, setup).await);
    }
    until_one_leads(&started.iter().collect::<Vec<_>>()).await;
    started
}

/// Waits until one of them leads, all others follow, and all are ready; says which one it is.
#[track_caller]
fn until_one_leads(replicas: &[&Replica]) -> impl Future<Output = usize> {
    eventually("one led and the others followed", async move || {
        let mut roles = Vec::new();
        for replica in replicas {
            let standing = replica.standing().await;
            let is_ready = replica.get("/readyz").await.status == 200;
            roles.push((
                standing["role"].as_str().unwrap_or_default().to_owned(),
                standing["shared"] == true && is_ready,
            ));
        }
        let leader = roles.iter().position(|(role, _)| role == "leading");
        let others = roles.iter().filter(|(role, _)| role == "following").count();
        let is_well = others + 1 == roles.len() && roles.iter().all(|(_, is_shared)| *is_shared);
        leader.filter(|_| is_well).ok_or_else(|| format!("{roles:?}"))
    })
}

/// What all clients can tell replicas apart by.
const TARGETS: [&str; 7] = [
    "/v0.1/servers?limit=2",
    "/v0.1/servers?limit=100&version=latest",
    "/v0.1/servers?updated_since=2020-01-01T00:00:00Z&limit=100",
    "/v0/servers/com.example%2Fserver-0001/versions",
    "/servers/com.example%2Fserver-0001/versions/latest",
    "/changes",
    "/conflicts",
];

/// What is answered, as far as it must be the same everywhere: bodies, tags, and whose content it is.
async fn answers(replica: &Replica) -> Vec<(String, u16, String, String)> {
    let mut answers = Vec::new();
    for target in TARGETS {
        let reply = replica.get(target).await;
        let (tag, named) = (reply.header("etag").to_owned(), reply.header("mcp-registry-proxy").to_owned());
        answers.push((format!("{target} {}", reply.text()), reply.status, tag, named));
    }
    answers
}

/// Waits until all answer the same.
#[track_caller]
fn until_alike(replicas: &[&Replica]) -> impl Future<Output = ()> {
    eventually("all replicas answered alike", async move || {
        let first = answers(replicas[0]).await;
        for other in &replicas[1..] {
            let theirs = answers(other).await;
            check(theirs == first, first.iter().zip(&theirs).find(|(ours, theirs)| ours != theirs))?;
        }
        Ok(())
    })
}
