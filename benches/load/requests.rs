//! The requests that differ from one to the next, and those that have to be looked for.

use std::net::SocketAddr;

use fastrand::Rng;

use crate::client::Client;
use crate::sample::{Known, SEED, Sample, path};
use crate::{Outcome, stop};

/// How many names are asked for in turn, and how many deep pages: as many as every cache holds.
const NAMES: usize = 500;
const PAGES: usize = 100;
/// How far the cursors are apart that are collected. So there are over 3,000 pages of 48 KB, and the proxy's cache
/// has room for less than half of them: where they come in turn, none is there any more.
const APART: usize = 10;

/// The version whose answer is nearest to 1 KB.
pub(crate) fn about_one_kib<'a>(client: &Client, proxy: SocketAddr, sample: &'a Sample) -> Outcome<&'a Known> {
    let first = sample.versions.first().ok_or("the registry is empty")?;
    let served = client.get(proxy, &path(first, &first.version), &[])?.body.len();
    let more = served.saturating_sub(first.bytes);
    let nearest = sample.versions.iter().min_by_key(|known| (known.bytes + more).abs_diff(1 << 10));
    Ok(nearest.unwrap_or(first))
}

/// A version of each of many names.
pub(crate) fn versions(sample: &Sample) -> Vec<String> {
    let step = (sample.versions.len() / NAMES).max(1);
    sample.versions.iter().step_by(step).take(NAMES).map(|known| path(known, &known.version)).collect()
}

/// Pages from all over the list, in no order: of VS Code's list, each with its own cursor.
#[derive(Debug)]
pub(crate) struct DeepPages(Vec<String>);

impl DeepPages {
    /// Walks the list, and notes the cursors.
    pub(crate) fn collect(client: &Client, proxy: SocketAddr) -> Outcome<Self> {
        let mut pages = Vec::new();
        let mut target = format!("/v0.1/servers?version=latest&limit={APART}");
        loop {
            stop::check()?;
            let page = client.get(proxy, &target, &[])?.json()?;
            let Some(cursor) = page["metadata"]["nextCursor"].as_str() else { break };
            target = format!("/v0.1/servers?version=latest&limit={APART}&cursor={cursor}");
            pages.push(format!("/v0.1/servers?version=latest&limit=50&cursor={cursor}"));
        }
        // The last ones are short.
        pages.truncate(pages.len().saturating_sub(50 / APART));
        Rng::with_seed(SEED).shuffle(&mut pages);
        Ok(Self(pages))
    }

    /// Few of them.
    pub(crate) fn few(&self) -> Vec<String> {
        self.0.iter().take(PAGES).cloned().collect()
    }

    /// All but those.
    pub(crate) fn many(&self) -> Vec<String> {
        self.0.iter().skip(PAGES).cloned().collect()
    }
}
