//! What refreshes cost, and whether clients notice: on a proxy that can be told to walk, and that asks every two
//! seconds for what has changed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::arguments::Arguments;
use crate::client::Client;
use crate::control::Control;
use crate::judge::{Judgement, short};
use crate::measure::{Sighting, Window, cleanly};
use crate::proxy::{FIRST_PAGE, Proxy};
use crate::run::Bench;
use crate::sample::{Sample, path};
use crate::statistics::median;
use crate::wrk::{Figures, Load, Wrk};
use crate::{Outcome, stop};

/// How long a refresh may take.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(20);
/// How long the catalog is given after the last page.
const SETTLE: Duration = Duration::from_millis(300);

/// A proxy, the registry that it mirrors, and what talks to both.
struct Pair<'a> {
    client: &'a Client,
    registry: &'a Control,
    proxy: Proxy,
}

/// All of it that is wanted.
pub(crate) fn measure(bench: &Bench<'_>) -> Outcome<Vec<Judgement>> {
    let Bench { arguments, client, wrk, sample, registry, directory } = bench;
    let mut proxy = Proxy::start(&directory.path().join("refreshing"), registry.address(), true)?;
    proxy.until_ready(client)?;
    let pair = Pair { client, registry, proxy };
    let mut judged = Vec::new();
    if arguments.wants("increment") {
        let window = Window::begin()?;
        let judgement = pair.increments(arguments, sample)?;
        judged.push(judgement.seen(window.is_clean()?));
    }
    if arguments.wants("walk") {
        let window = Window::begin()?;
        let judgement = pair.walks(arguments)?;
        judged.push(judgement.seen(window.is_clean()?));
    }
    if arguments.wants("refresh-p99") {
        judged.extend(pair.tails(wrk, arguments)?);
    }
    pair.proxy.stop()?;
    Ok(judged)
}

impl Pair<'_> {
    /// The CPU of an increment with a hundred changes: that of the proxy between the end of one increment and the
    /// moment after the next one. The mean, because each is counted in hundredths of a second.
    fn increments(&self, arguments: &Arguments, sample: &Sample) -> Outcome<Judgement> {
        eprintln!("increments");
        let first = sample.versions.first().ok_or("the registry is empty")?;
        let first = path(first, &first.version);
        let mut costs = Vec::new();
        for _ in 0..arguments.repetitions() {
            self.until_asked_again()?;
            stop::pause(SETTLE)?;
            let before = self.proxy.cpu()?;
            self.registry.change()?;
            self.until_asked_again()?;
            let count = self.registry.counts()?.changes;
            let changed = format!("\"description\":\"{}", "Changed: ".repeat(count));
            stop::until("a change is served", LOOK, PATIENCE, || {
                let body = self.client.get(self.proxy.address, &first, &[])?.body;
                Ok(String::from_utf8_lossy(&body).contains(&changed))
            })?;
            stop::pause(SETTLE)?;
            costs.push((self.proxy.cpu()? - before) * 1e3);
        }
        let times = costs.len().max(1);
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        let mean = costs.iter().sum::<f64>() / times as f64;
        Ok(Judgement::at_most("increment that changed 100 entries, CPU (mean)", mean, 40.0, " ms"))
    }

    fn until_asked_again(&self) -> Outcome<()> {
        let asked = self.registry.counts()?.increments;
        stop::until("the proxy asks for what has changed", LOOK, PATIENCE, || {
            Ok(asked < self.registry.counts()?.increments)
        })
    }

    /// The CPU of a full walk that finds a hundred changes.
    fn walks(&self, arguments: &Arguments) -> Outcome<Judgement> {
        eprintln!("full walks");
        let mut costs = Vec::new();
        for _ in 0..arguments.repetitions().min(3) {
            stop::pause(SETTLE)?;
            let before = self.proxy.cpu()?;
            walk(self.client, self.registry, &self.proxy)?;
            stop::pause(SETTLE)?;
            costs.push(self.proxy.cpu()? - before);
        }
        let cost = median(costs).unwrap_or_default();
        Ok(Judgement::at_most("full walk of 1,013 pages of which 100 have changed, CPU", cost, 2.0, " s"))
    }

    /// The slowest of cached pages, with and without full walks one after the other.
    fn tails(&self, wrk: &Wrk, arguments: &Arguments) -> Outcome<Vec<Judgement>> {
        eprintln!("cached pages while the registry is walked");
        let headers = [("Accept-Encoding".to_owned(), "identity".to_owned())];
        let load = Load {
            address: self.proxy.address,
            target: FIRST_PAGE,
            many: None,
            headers: &headers,
            connections: 64,
            // Several walks.
            seconds: 2 * arguments.seconds(),
            is_refused: false,
        };
        let (mut quiet, mut busy) = (Vec::new(), Vec::new());
        let before = self.registry.counts()?.walks;
        for _ in 0..arguments.rounds() {
            quiet.push(cleanly(arguments.attempts(), || wrk.run(&load))?);
            busy.push(cleanly(arguments.attempts(), || self.while_walking(|| wrk.run(&load)))?);
        }
        let walks = self.registry.counts()?.walks - before;
        let is_clean = quiet.iter().chain(&busy).all(|run| run.is_clean);
        let [quiet, busy] = [quiet, busy]
            .map(|runs: Vec<Sighting<Figures>>| median(runs.iter().map(|run| run.of.p99)).unwrap_or_default() / 1e3);
        let told = format!("{} ms without, {} ms with, {walks} walks", short(quiet), short(busy));
        Ok(vec![
            Judgement::at_most("p99 of cached pages during full walks, against p99 without", busy / quiet, 2.0, " ×")
                .seen(is_clean),
            Judgement::at_most("the same by itself", busy, 10.0, " ms").seen(is_clean),
            Judgement::told("these are", told),
        ])
    }

    /// Lets the proxy walk again and again meanwhile.
    fn while_walking<T>(&self, run: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            let walking = scope.spawn(|| -> Outcome<()> {
                let client = Client::new()?;
                while !is_over.load(Ordering::Relaxed) {
                    walk(&client, self.registry, &self.proxy)?;
                }
                Ok(())
            });
            let result = run();
            is_over.store(true, Ordering::Relaxed);
            walking.join().map_err(|_| "what asks for walks panicked")??;
            result
        })
    }
}

/// Lets a hundred entries change, asks for a full walk, and waits until it has come to its end.
fn walk(client: &Client, registry: &Control, proxy: &Proxy) -> Outcome<()> {
    let walks = registry.counts()?.walks;
    registry.change()?;
    let admin = proxy.admin.ok_or("the proxy has no admin listener")?;
    let reply = client.post(admin, "/registries/official/refresh")?;
    if reply.status != 202 {
        return Err(format!("the proxy answered a request to walk with {}", reply.status).into());
    }
    stop::until("the registry has been walked", LOOK, PATIENCE, || Ok(walks < registry.counts()?.walks))
}
