//! What is searched for: with no hit, with few, and with about ten thousand. No answer is small enough, or asked for
//! again soon enough, for the cache to have it still: together they take more than `cache.max_size`.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use memchr::memmem::Finder;

use crate::sample::{SEED, Sample};

/// A name with more versions than this has not "few".
const FEW: usize = 10;
/// How many versions a search with many hits may have.
const MANY: std::ops::RangeInclusive<usize> = 8_000..=12_000;
/// How many texts are looked at before all are.
const SAMPLED: usize = 5_000;
const ATTEMPTS: usize = 4_000;
const TERMS: usize = 200;
/// How many different pages are asked for of searches with many hits: 5,000 × 30 KB.
const PAGES: usize = 5_000;
/// How many different searches there are of the others.
const SEARCHES: usize = 100_000;

/// Words that no text has.
pub(crate) fn without_hits() -> Vec<String> {
    (0..SEARCHES).map(|number| format!("/v0.1/servers?search=qz{number}x")).collect()
}

/// The last parts of names, in no order.
pub(crate) fn with_few_hits(sample: &Sample) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for known in &sample.versions {
        *counts.entry(&known.name).or_default() += 1;
    }
    let few = counts.into_iter().filter(|(_, count)| *count <= FEW).map(|(name, _)| name);
    let parts = few.filter_map(|name| name.split_once('/')).map(|(_, part)| part);
    // The numbers of others may begin like a short one.
    let rare = parts.filter(|part| part.rsplit('-').next().is_some_and(|number| 4 <= number.len()));
    let mut searches: Vec<String> = rare.map(|part| format!("/v0.1/servers?search={part}")).collect();
    Rng::with_seed(SEED).shuffle(&mut searches);
    searches.truncate(SEARCHES);
    searches
}

/// Parts of words and of what is between them, each with pages of several lengths.
pub(crate) fn with_many_hits(sample: &Sample) -> Vec<String> {
    let terms = common(&sample.texts);
    let lengths = PAGES.div_ceil(terms.len().max(1));
    let mut searches = Vec::with_capacity(PAGES);
    for limit in (20..).take(lengths) {
        for term in &terms {
            let term: String = form_urlencoded::byte_serialize(term.as_bytes()).collect();
            searches.push(format!("/v0.1/servers?search={term}&limit={}", limit.min(100)));
        }
    }
    searches
}

/// Fragments that about ten thousand texts have.
fn common(texts: &[String]) -> BTreeSet<String> {
    let mut random = Rng::with_seed(SEED);
    let step = (texts.len() / SAMPLED).max(1);
    let (mut terms, mut tried) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..ATTEMPTS {
        if TERMS <= terms.len() {
            break;
        }
        let Some(text) = texts.get(random.usize(..texts.len().max(1))) else { break };
        let description = text.rsplit('\0').next().unwrap_or_default();
        let (at, length) = (random.usize(..description.len().max(1)), random.usize(2..=9));
        let Some(term) = description.get(at..at + length).filter(|term| term.trim() == *term) else { continue };
        if !tried.insert(term) {
            continue;
        }
        let finder = Finder::new(term);
        let hits = |texts: &mut dyn Iterator<Item = &String>| {
            texts.filter(|text| finder.find(text.as_bytes()).is_some()).count()
        };
        let likely = step * hits(&mut texts.iter().step_by(step));
        if (MANY.start() / 2..=MANY.end() * 2).contains(&likely) && MANY.contains(&hits(&mut texts.iter())) {
            terms.insert(term.to_owned());
        }
    }
    terms
}
