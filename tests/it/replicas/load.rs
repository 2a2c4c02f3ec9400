//! A rolling restart of all replicas under load, behind a balancer as there are many: it asks those that are ready, and
//! where one takes no connection the next one. Whatever else goes wrong, a client sees.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Setup, all, answers, grown, replicas, until_alike, until_all_counted, until_one_leads};
use crate::support::entry::{keys, keys_of, numbered};
use crate::support::http::{Failure, Reply, try_get};
use crate::support::redis::Redis;
use crate::support::registry::{FakeRegistry, Seen};
use crate::support::{check, eventually};

/// How often the balancer looks which are ready.
const CHECKS: Duration = Duration::from_millis(50);
/// How long a client waits between two requests: there is one machine for all of this.
const PAUSE: Duration = Duration::from_millis(5);
const CLIENTS: usize = 4;
const WALKERS: usize = 2;
/// What there is from beginning to end, and what is there after the change.
const THROUGHOUT: usize = 20;
const AFTERWARDS: usize = 24;

/// What clients ask for, and each gets with status 200.
const ASKED: [&str; 5] = [
    "/v0.1/servers?limit=100",
    "/v0.1/servers/com.example%2Fserver-0001/versions/latest",
    "/v0.1/servers?search=server-0003",
    "/changes",
    "/registries",
];

#[derive(Default)]
struct Balancer {
    targets: Mutex<Vec<Target>>,
    turn: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Target {
    address: SocketAddr,
    is_ready: bool,
}

impl Balancer {
    fn targets(&self) -> Vec<Target> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A replica is where it was, or elsewhere; nobody is sent there before it is ready.
    fn set(&self, at: usize, address: SocketAddr) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if at == targets.len() {
            targets.push(Target { address, is_ready: false });
        }
        targets[at] = Target { address, is_ready: false };
    }

    fn note(&self, at: usize, seen: Target, is_ready: bool) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if targets[at].address == seen.address {
            targets[at].is_ready = is_ready;
        }
    }

    /// Looks which are ready, for ever.
    async fn check(self: Arc<Self>) {
        loop {
            for (at, target) in self.targets().into_iter().enumerate() {
                let is_ready = try_get(target.address, "/readyz").await.is_ok_and(|reply| reply.status == 200);
                self.note(at, target, is_ready);
            }
            sleep(CHECKS).await;
        }
    }

    /// Has a request answered by one of those that are ready, another one each time.
    async fn ask(&self, request: &str) -> Result<Reply, String> {
        let ready: Vec<Target> = self.targets().into_iter().filter(|target| target.is_ready).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        for next in 0..ready.len() {
            let target = ready[(turn + next) % ready.len()];
            match try_get(target.address, request).await {
                Ok(reply) if reply.status == 200 => return Ok(reply),
                Ok(reply) => return Err(format!("{request}: {} {}", reply.status, reply.text())),
                Err(failure) if is_refused(&failure) => {}
                Err(failure) => return Err(format!("{request} at {}: {failure:?}", target.address)),
            }
        }
        Err(format!("{request}: none of {} takes a connection", ready.len()))
    }
}

/// Whether no connection was made. Once there is one, nobody knows what has become of a request.
fn is_refused(failure: &Failure) -> bool {
    let error = failure.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// What clients have seen.
#[derive(Default)]
struct Seeing {
    is_over: AtomicBool,
    answered: AtomicUsize,
    walked: AtomicUsize,
    problems: Mutex<Vec<String>>,
}

impl Seeing {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    fn fail(&self, problem: String) {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).push(problem);
    }
}

/// A client that asks for this and that.
async fn ask_on(balancer: Arc<Balancer>, seeing: Arc<Seeing>) {
    let mut requests = ASKED.iter().cycle();
    while seeing.goes_on() {
        let request = requests.next().expect("it has no end");
        match balancer.ask(request).await {
            Ok(reply) if serde_json::from_slice::<serde_json::Value>(&reply.body).is_err() => {
                seeing.fail(format!("{request}: {}", reply.text()));
            }
            Ok(_) => {
                seeing.answered.fetch_add(1, Ordering::Relaxed);
            }
            Err(problem) => seeing.fail(problem),
        }
        sleep(PAUSE).await;
    }
}

/// A client that walks through all pages, over and over: at every page it is another replica that answers.
async fn walk_on(balancer: Arc<Balancer>, seeing: Arc<Seeing>) {
    let throughout = keys_of(&numbered("com.example", THROUGHOUT));
    while seeing.goes_on() {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = match balancer.ask(&format!("/v0.1/servers?limit=3{cursor}")).await {
                Ok(page) => page.json(),
                Err(problem) => {
                    seeing.fail(problem);
                    break;
                }
            };
            seen.extend(keys(page["servers"].as_array().expect("a list")));
            sleep(PAUSE).await;
            let Some(next) = page["metadata"]["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let skipped: Vec<_> = throughout.iter().filter(|key| !seen.contains(key)).collect();
        let mut once = seen.clone();
        once.sort();
        once.dedup();
        if !skipped.is_empty() || once.len() != seen.len() {
            seeing.fail(format!("a walk skipped {skipped:?}, or repeated something: {seen:?}"));
        }
        seeing.walked.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_rolling_restart_under_load_fails_no_request() {
    let Some(redis) = Redis::start().await else { return };
    let fake = FakeRegistry::start(numbered("com.example", THROUGHOUT)).await;
    let setup = Setup::of(&fake);
    let mut three = replicas(3, &redis, &setup).await;
    until_alike(&all(&three)).await;
    let (balancer, seeing) = (Arc::new(Balancer::default()), Arc::new(Seeing::default()));
    for (at, replica) in three.iter().enumerate() {
        balancer.set(at, replica.process.address);
    }
    let mut checks = JoinSet::new();
    checks.spawn(Arc::clone(&balancer).check());
    until_ready(&balancer).await;
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(ask_on(Arc::clone(&balancer), Arc::clone(&seeing)));
    }
    for _ in 0..WALKERS {
        clients.spawn(walk_on(Arc::clone(&balancer), Arc::clone(&seeing)));
    }
    for (turn, replica) in three.iter_mut().enumerate() {
        until_more(&seeing).await;
        replica.process.signal("TERM");
        assert_eq!(replica.process.exit_code().await, Some(0));
        if turn == 1 {
            fake.set_entries(grown(THROUGHOUT, AFTERWARDS));
        }
        replica.again(&setup).await;
        let listed = replica.json("/v0.1/servers?limit=100").await["servers"].as_array().map(Vec::len);
        assert!(listed.is_some_and(|listed| THROUGHOUT <= listed), "it is warm when it listens");
        balancer.set(turn, replica.process.address);
        until_ready(&balancer).await;
    }
    until_all_counted(&all(&three), AFTERWARDS).await;
    until_more(&seeing).await;
    seeing.is_over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("no panic");
    }
    let problems = seeing.problems.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let answered = seeing.answered.load(Ordering::Relaxed);
    assert!(problems.is_empty(), "{} of {answered} requests failed: {problems:#?}", problems.len());
    until_one_leads(&all(&three)).await;
    until_alike(&all(&three)).await;
    assert_eq!(answers(&three[0]).await, answers(&three[2]).await);
    assert_eq!(fake.requests_where(Seen::begins_full_walk).len(), 1, "nobody walked anew");
}

async fn until_ready(balancer: &Balancer) {
    eventually("all were ready", async || {
        let ready = balancer.targets().iter().filter(|target| target.is_ready).count();
        check(ready == 3, ready)
    })
    .await;
}

/// Waits until clients have got so much more that each has been at every replica, and walked.
async fn until_more(seeing: &Seeing) {
    let count = || (seeing.answered.load(Ordering::Relaxed), seeing.walked.load(Ordering::Relaxed));
    let (answered, walked) = count();
    eventually("clients went on", async || {
        let now = count();
        check(answered + 40 < now.0 && walked + WALKERS < now.1, now)
    })
    .await;
}
