//! What searches take of the server's time: from a request's head to its answer, in this process, one after the other.
//! A client on the same two cores sees besides how long it waits for its own turn.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use mcp_registry_proxy::catalog::Catalog;
use mcp_registry_proxy::catalog::merge::Policy;
use mcp_registry_proxy::serve::Entrance;

use crate::arguments::Arguments;
use crate::corpus::{Corpus, PAGE};
use crate::judge::Judgement;
use crate::measure::{self, Sighting};
use crate::run::Bench;
use crate::sample::SEED;
use crate::scenarios::search_terms;
use crate::world::{ask, entrance, get, is_rendered, merged, source, walk};
use crate::{Outcome, stop};

/// How many searches of a kind are asked for, at most; those after them would tell no more.
const SEARCHES: usize = 20_000;
/// How many are asked for before anything is measured.
const FIRST: usize = 200;

/// Measures all kinds of searches that are wanted.
pub(crate) fn measure(bench: &Bench<'_>) -> Outcome<Vec<Judgement>> {
    let arguments = bench.arguments;
    let kinds = search_terms(&bench.sample, &|name| arguments.wants(name));
    if kinds.is_empty() {
        return Ok(Vec::new());
    }
    eprintln!("the server's time for searches");
    let entrance = catalog(arguments);
    let mut judged = Vec::new();
    for (what, targets) in kinds {
        let mut targets = targets.into_iter().cycle();
        let seen = measure::cleanly(arguments.attempts(), || times(&entrance, &mut targets, count(arguments)))?;
        judged.extend(judge(what, &seen, arguments.tenfold));
    }
    Ok(judged)
}

fn count(arguments: &Arguments) -> usize {
    if arguments.is_quick() { SEARCHES / 20 } else { SEARCHES }
}

/// The made-up registry as one catalog, and where requests come in.
fn catalog(arguments: &Arguments) -> Entrance {
    let corpus = Corpus::new(arguments.size(), SEED);
    let listing = walk(corpus.pages(PAGE).into_iter().map(|(_, page)| page));
    entrance(Arc::new(merged(&Policy::default(), &[source("official", listing)], &Catalog::default())))
}

/// How long so many searches take each, in milliseconds, sorted. What the cache has is none.
fn times(entrance: &Entrance, targets: &mut dyn Iterator<Item = String>, count: usize) -> Outcome<Vec<f64>> {
    let mut times = Vec::with_capacity(count);
    for (number, target) in targets.take(FIRST + count).enumerate() {
        stop::check()?;
        let request = get(&target, &[]);
        let began = Instant::now();
        let response = black_box(ask(entrance, request));
        let took = began.elapsed().as_secs_f64() * 1e3;
        if response.status() != StatusCode::OK {
            return Err(format!("{target} was answered with {}", response.status()).into());
        }
        if FIRST <= number && is_rendered(&response) {
            times.push(took);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times)
}

fn judge(what: &str, seen: &Sighting<Vec<f64>>, is_tenfold: bool) -> Vec<Judgement> {
    let (median_limit, tail_limit) = if is_tenfold { (2.0, 8.0) } else { (0.3, 1.5) };
    let parts = [("p50", 500, median_limit), ("p99", 990, tail_limit)];
    let judgement = |(name, thousandths, most): (&str, usize, f64)| {
        let time = seen.of.get(seen.of.len() * thousandths / 1_000).copied().unwrap_or_default();
        let what = format!("a new search, {what}, {name} of the server's time");
        Judgement::at_most(&what, time, most, " ms").seen(seen.is_clean)
    };
    parts.map(judgement).into()
}
