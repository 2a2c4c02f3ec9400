//! What became of the configuration while the proxy runs: shown beside the registries and in the metrics.

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde::Serialize;

/// What became of the configuration. Readers never wait.
#[derive(Debug)]
pub struct Configuration(ArcSwap<State>);

/// The configuration at one moment.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// When the configuration that is in effect was read.
    pub loaded_at: Timestamp,
    /// The keys that have changed and wait for a restart.
    pub pending: Vec<&'static str>,
    /// The last change that was refused, until one is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// A changed configuration that is not in effect.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    /// When it was refused.
    pub at: Timestamp,
    /// What is wrong with it, for everyone: files and keys, without values.
    pub error: String,
    /// The same in full, for those who run the proxy.
    #[serde(skip)]
    pub detail: String,
}

impl Configuration {
    /// The configuration that the proxy starts with.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(ArcSwap::from_pointee(State { loaded_at: now, pending: Vec::new(), refused: None }))
    }

    /// What it is now.
    #[must_use]
    pub fn load(&self) -> Arc<State> {
        self.0.load_full()
    }

    /// Notes that a change has taken effect, but for the keys that wait for a restart.
    pub fn note_change(&self, now: Timestamp, pending: Vec<&'static str>) {
        self.0.store(Arc::new(State { loaded_at: now, pending, refused: None }));
    }

    /// Notes that a change was refused.
    pub fn note_refusal(&self, refusal: Refusal) {
        let state = State { refused: Some(refusal), ..State::clone(&self.0.load()) };
        self.0.store(Arc::new(state));
    }
}
