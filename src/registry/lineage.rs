//! What a registry's answers say of the proxies behind it: the header `MCP-Registry-Proxy: ID, …`, with the id of
//! the proxy that answers and of all that it mirrors. Where our own id is among them, the registry lists what we
//! serve, and taking it in would feed us ourselves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::sync::Notify;

use super::Registry;
use super::error::FetchError;
use super::health::{self, Outcome};
use crate::catalog::lineage::{Lineage, ProxyId};

/// The header in which proxies name themselves and those whom they mirror.
pub const LINEAGE_HEADER: HeaderName = HeaderName::from_static("mcp-registry-proxy");

/// How many ids are remembered as our own.
const MAX_OWN_IDS: usize = 16;

/// The ids by which other proxies know this one: the present one, and those that it had before its list of registries
/// changed, since others may still pass those on. None where nothing is served and no id is known. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct OwnIds(Arc<ArcSwap<Vec<ProxyId>>>);

impl OwnIds {
    /// The ids of a proxy that has this one.
    #[must_use]
    pub fn of(id: Option<ProxyId>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(id.into_iter().collect())))
    }

    /// The present id.
    #[must_use]
    pub fn present(&self) -> Option<ProxyId> {
        self.0.load().first().cloned()
    }

    /// Takes another id. Those before it are remembered, as many as fit.
    pub fn replace_with(&self, id: &ProxyId) {
        let known = self.0.load();
        let before = known.iter().filter(|known| *known != id).take(MAX_OWN_IDS - 1).cloned();
        self.0.store(Arc::new(std::iter::once(id.clone()).chain(before).collect()));
    }

    /// Whether an id is ours, or was.
    #[must_use]
    pub fn include(&self, id: &ProxyId) -> bool {
        self.0.load().contains(id)
    }
}

/// What one registry's answers say of the proxies behind it. Pure: [`LineageWatch`] shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    last: Arc<Lineage>,
    /// Whether an answer said something since the last test ended.
    is_fresh: bool,
    /// How many tests in a row ended without one.
    silent: u32,
}

impl Heard {
    /// Takes in what an answer said; says whether that is news.
    pub(super) fn answer(&mut self, lineage: Lineage) -> bool {
        self.is_fresh = true;
        let is_news = lineage != *self.last;
        if is_news {
            self.last = Arc::new(lineage);
        }
        is_news
    }

    /// Takes in that a test has ended, its answers before it.
    pub(super) fn end_test(&mut self, outcome: Outcome) {
        if std::mem::take(&mut self.is_fresh) {
            self.silent = 0;
        } else if outcome != Outcome::Neither {
            self.silent = self.silent.saturating_add(1);
        }
    }

    /// What is passed on: what the last answer said, while the registry's servers may be served and while it
    /// answers, also where it is refused or failing. A ring in which everyone forgot whom he refuses would look
    /// mended to all, and they would take each other back. What has been silent for as long as makes a registry
    /// unhealthy stands for nobody.
    pub(super) fn passed_on(&self, is_usable: bool, config: &health::Config) -> Arc<Lineage> {
        if is_usable || self.silent < config.unhealthy_after { Arc::clone(&self.last) } else { Arc::default() }
    }
}

/// Listens to one registry's answers.
#[derive(Debug)]
pub(super) struct LineageWatch {
    own: OwnIds,
    heard: Mutex<Heard>,
    /// Told when what is passed on may have changed.
    changed: Arc<Notify>,
}

impl LineageWatch {
    pub(super) fn new(own: OwnIds, changed: Arc<Notify>) -> Self {
        Self { own, heard: Mutex::default(), changed }
    }

    /// Takes in the head of an answer, whatever its status.
    ///
    /// # Errors
    /// When it names our own id.
    pub(super) fn hear(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), FetchError> {
        let (lineage, is_loop) = Lineage::heard(ids(headers), |id| self.own.include(id));
        // A proxy like ours names itself in every answer. An error without a name was written by something on
        // the way to the registry, and says nothing of what the registry mirrors.
        if (status == StatusCode::OK || headers.contains_key(LINEAGE_HEADER)) && self.heard().answer(lineage) {
            self.changed.notify_one();
        }
        if is_loop { Err(FetchError::Loop) } else { Ok(()) }
    }

    /// Takes over what was heard before this process. What has been heard since counts more.
    pub(super) fn restore(&self, lineage: Lineage) {
        let mut heard = self.heard();
        if *heard.last == Lineage::default() {
            heard.last = Arc::new(lineage);
        }
    }

    /// Takes over what was heard by another replica of this proxy, whatever was heard here.
    pub(super) fn adopt(&self, lineage: Lineage) {
        let mut heard = self.heard();
        let last = if *heard.last == lineage { Arc::clone(&heard.last) } else { Arc::new(lineage) };
        *heard = Heard { last, is_fresh: true, silent: 0 };
    }

    /// Takes in that a test has ended.
    pub(super) fn end_test(&self, outcome: Outcome, config: &health::Config) {
        let mut heard = self.heard();
        let before = heard.passed_on(false, config);
        heard.end_test(outcome);
        if heard.passed_on(false, config) != before {
            self.changed.notify_one();
        }
    }

    /// Takes over what the answers said to the one that this one replaces.
    pub(super) fn take_over(&self, predecessor: &Self) {
        let heard = predecessor.heard().clone();
        *self.heard() = heard;
    }

    /// The header's value that names us, where we have an id.
    pub(super) fn own_header(&self) -> Option<HeaderValue> {
        let value = HeaderValue::from_str(self.own.present()?.as_str());
        Some(value.expect("ids are letters, digits, hyphens and underscores"))
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registry {
    /// The proxies behind the registry that are named to others, as long as its servers are served or it answers.
    #[must_use]
    pub fn lineage(&self, is_usable: bool) -> Arc<Lineage> {
        self.lineage.heard().passed_on(is_usable, &self.settings.health)
    }
}

/// The ids that a header names. What cannot be an id is passed over.
fn ids(headers: &HeaderMap) -> impl Iterator<Item = ProxyId> {
    let values = headers.get_all(LINEAGE_HEADER).into_iter();
    let parts = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    parts.filter_map(|part| ProxyId::new(std::str::from_utf8(part.trim_ascii()).ok()?))
}

#[cfg(test)]
#[path = "lineage_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "lineage_simulation.rs"]
mod simulation;
