//! Somebody who looks at replicas all the time, and at what they tell of themselves: nothing may ever go back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Replica;
use crate::support::http::try_get;

/// How often each is looked at.
const INTERVAL: Duration = Duration::from_millis(40);

/// Looks until it is asked what it has seen.
pub(super) struct Watch {
    is_over: Arc<AtomicBool>,
    task: JoinSet<Seen>,
}

#[derive(Default)]
struct Seen {
    looks: usize,
    problems: Vec<String>,
}

/// What one replica tells: how many versions it lists, and the generation that it has taken.
type Told = (usize, (u64, u64));

impl Watch {
    /// Watches these, whose lists only grow meanwhile.
    pub(super) fn over(replicas: &[&Replica]) -> Self {
        let addresses: Vec<SocketAddr> = replicas.iter().map(|replica| replica.process.address).collect();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut seen = Seen::default();
            let mut last: Vec<Told> = vec![Told::default(); addresses.len()];
            // Once more after it is over: what has become of all of it is looked at as well.
            let mut is_last = false;
            while !is_last {
                is_last = over.load(Ordering::Relaxed);
                for (address, last) in addresses.iter().zip(&mut last) {
                    match told(*address).await {
                        Ok(now) if last.0 <= now.0 && last.1 <= now.1 => *last = now,
                        Ok(now) => seen.problems.push(format!("{address} went back from {last:?} to {now:?}")),
                        Err(problem) => seen.problems.push(format!("{address}: {problem}")),
                    }
                    seen.looks += 1;
                }
                sleep(INTERVAL).await;
            }
            seen
        });
        Self { is_over, task }
    }

    /// Ends it: nothing has gone back, and nothing failed.
    pub(super) async fn finish(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let seen = self.task.join_next().await.expect("a task").expect("no panic");
        assert!(seen.problems.is_empty(), "{:#?}", seen.problems);
        assert!(0 < seen.looks, "nobody was looked at");
    }
}

async fn told(address: SocketAddr) -> Result<Told, String> {
    let reply = try_get(address, "/v0.1/servers?limit=100").await.map_err(|failure| failure.to_string())?;
    if reply.status != 200 {
        return Err(format!("{} {}", reply.status, reply.text()));
    }
    let listed = reply.json()["servers"].as_array().map_or(0, Vec::len);
    let standing = try_get(address, "/registries").await.map_err(|failure| failure.to_string())?.json();
    let generation = standing["metadata"]["replica"]["generation"].as_str().unwrap_or_default().to_owned();
    let number = generation.split_once('-').and_then(|(epoch, at)| Some((epoch.parse().ok()?, at.parse().ok()?)));
    Ok((listed, number.ok_or_else(|| format!("{standing} names no generation"))?))
}
