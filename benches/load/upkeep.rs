//! What it takes while nobody asks: the first walk, memory, and how soon it is back.

use crate::Outcome;
use crate::arguments::Arguments;
use crate::judge::{Judgement, short};
use crate::measure::{self, Window};
use crate::proxy::Proxy;
use crate::run::Bench;
use crate::sample::Sample;
use crate::statistics::{median, number};

/// How often a warm start is made, at most.
const STARTS: usize = 3;

/// Starts the proxy on an empty store, and sees what its first walk costs and what it leaves in memory.
pub(crate) fn first_walk(bench: &Bench<'_>) -> Outcome<(Proxy, Vec<Judgement>)> {
    eprintln!("the first walk");
    let Bench { arguments, client, sample, registry, directory, .. } = bench;
    let window = Window::begin()?;
    let mut proxy = Proxy::start(&directory.path().join("proxy"), registry.address(), false)?;
    proxy.until_ready(client)?;
    let cpu = proxy.cpu()?;
    proxy.until_quiet()?;
    let (memory, all) = (number(measure::memory(proxy.id())?), proxy.cpu()?);
    let mut judged = Vec::new();
    if arguments.wants("walk") {
        let what = format!("first walk of {} pages, from the start of the process, CPU", registry.counts()?.pages);
        let walk = if arguments.tenfold {
            Judgement::told(&what, format!("{} s", short(cpu)))
        } else {
            Judgement::at_most(&what, cpu, 2.0, " s")
        };
        judged.extend([walk, Judgement::told("the same with the store's write", format!("{} s", short(all)))]);
    }
    if arguments.wants("memory") {
        judged.extend(judge_memory("after the first walk", memory, arguments, sample));
    }
    let is_clean = window.is_clean()?;
    Ok((proxy, judged.into_iter().map(|judgement| judgement.seen(is_clean)).collect()))
}

/// Restarts the proxy on its store.
pub(crate) fn warm_starts(bench: &Bench<'_>, mut proxy: Proxy) -> Outcome<(Proxy, Vec<Judgement>)> {
    eprintln!("warm starts");
    let Bench { arguments, client, sample, .. } = bench;
    let (mut times, mut is_clean) = (Vec::new(), true);
    for _ in 0..arguments.repetitions().min(STARTS) {
        let mut running = Some(proxy);
        let seen = measure::cleanly(arguments.attempts(), || {
            let (restarted, took) = running.take().ok_or("the proxy is gone")?.restart(client)?;
            running = Some(restarted);
            Ok(took.as_secs_f64())
        })?;
        proxy = running.ok_or("the proxy is gone")?;
        is_clean &= seen.is_clean;
        times.push(seen.of);
    }
    let most = if arguments.tenfold { 5.0 } else { 0.4 };
    let time = median(times).unwrap_or_default();
    let mut judged = vec![Judgement::at_most("warm start to the first answer", time, most, " s").seen(is_clean)];
    if arguments.wants("memory") {
        let memory = number(measure::memory(proxy.id())?);
        let what = format!("{} MiB", short(memory / f64::from(1 << 20)));
        let part = memory / number(u64::try_from(sample.bytes)?);
        let told = format!("{what}, {} × the JSON of the entries", short(part));
        judged.push(Judgement::told("resident memory after a warm start", told));
    }
    Ok((proxy, judged))
}

fn judge_memory(when: &str, memory: f64, arguments: &Arguments, sample: &Sample) -> Vec<Judgement> {
    let most = if arguments.tenfold { 1.3 } else { 1.4 };
    let json = number(u64::try_from(sample.bytes).unwrap_or(u64::MAX));
    let mebibytes = |bytes: f64| short(bytes / f64::from(1 << 20));
    let sizes = format!("{} MiB, the entries' JSON {} MiB", mebibytes(memory), mebibytes(json));
    vec![
        Judgement::at_most(
            &format!("resident memory {when}, against the JSON of the entries"),
            memory / json,
            most,
            " ×",
        ),
        Judgement::told("that is", sizes),
    ]
}
