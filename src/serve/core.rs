//! What all services have in common, and what outlives a change of the configuration.

use std::fmt;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};

use super::cache::ResponseCache;
use super::changes::MAX_FOLLOWERS;
use super::configuration::{Configuration, Refusal};
use super::connection::Load;
use super::documents::Documents;
use super::inspections::Inspections;
use super::mcp::ROOM_KIB;
use super::pages::Assets;
use super::read_through::ReadThrough;
use super::representation::Encoders;
use super::targets::Targets;
use super::validation::Validation;
use crate::catalog::current::Current;
use crate::registry::Registry;

/// The catalog of the moment, rendered bodies, and the rest that services share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Core {
    pub(super) current: Arc<Current>,
    pub(super) configuration: Arc<Configuration>,
    pub(super) targets: Arc<Targets>,
    pub(super) cache: ResponseCache,
    cache_bytes: u64,
    pub(super) encoders: Encoders,
    pub(super) documents: Arc<Documents>,
    pub(super) assets: Arc<Assets>,
    pub(super) read_through: Arc<ReadThrough>,
    pub(super) validation: Arc<Validation>,
    pub(super) started: Instant,
    /// Those of the configuration of the moment.
    registries: Arc<ArcSwap<Vec<Arc<Registry>>>>,
    pub(super) figures: Figures,
    pub(super) inspections: Arc<Inspections>,
    /// Changes whenever there is another catalog.
    pub(super) published: watch::Receiver<u64>,
    /// Room for those who follow the feed of changes.
    pub(super) followers: Arc<Semaphore>,
    /// Room for messages of MCP, in KiB.
    pub(super) conversations: Arc<Semaphore>,
}

/// What only the metrics show, and others know.
#[derive(Clone, Default)]
pub struct Figures {
    /// What the public listener's clients take.
    pub load: Option<Arc<Load>>,
    /// The same of those who run the proxy.
    pub admin: Option<Arc<Load>>,
    /// How the store is doing, where there is one on disk.
    pub store: Option<Arc<dyn Fn() -> StoreFigures + Send + Sync>>,
    /// How logs and traces are doing.
    pub telemetry: Option<fn() -> TelemetryFigures>,
    /// How the replica stands, where it is one of several.
    pub replica: Option<Arc<dyn Fn() -> ReplicaFigures + Send + Sync>>,
}

/// How a replica stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaFigures {
    /// Where Redis is, without user and password.
    pub address: String,
    /// `leading`, `following` or `alone`.
    pub role: &'static str,
    /// Since when.
    pub since: Timestamp,
    /// The epoch and the sequence of the last generation that it has taken.
    pub generation: (u64, u64),
    /// Whether what it serves is of its own making.
    pub is_own: bool,
    /// When Redis last answered.
    pub heard_at: Option<Timestamp>,
    /// What is wrong with Redis, if something is.
    pub fault: Option<String>,
    /// Bytes of manifests and chunks that were written since the start.
    pub sent: u64,
    /// The same, read.
    pub received: u64,
}

/// How the store is doing.
#[derive(Clone, Debug)]
pub struct StoreFigures {
    /// When something was last written, if ever.
    pub last_write: Option<Timestamp>,
    /// Whether something cannot be written now.
    pub is_failing: bool,
    /// What that is, and why.
    pub failing: Vec<String>,
    /// How many files were written or removed.
    pub writes: u64,
    /// How many could not be.
    pub failures: u64,
    /// How many bytes the written ones had.
    pub written_bytes: u64,
}

/// How logs and traces are doing.
#[derive(Clone, Copy, Debug)]
pub struct TelemetryFigures {
    /// Log lines that were lost, since nobody read them.
    pub lost_log_lines: u64,
    /// Requests to the collector of traces that it took.
    pub trace_exports: u64,
    /// Those that failed.
    pub failed_trace_exports: u64,
    /// When the process began.
    pub started_at: SystemTime,
}

impl fmt::Debug for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Figures").field("load", &self.load).finish_non_exhaustive()
    }
}

impl Core {
    /// A core over the catalog of the moment whose rendered bodies may take that many bytes.
    #[must_use]
    pub fn new(
        current: Arc<Current>,
        configuration: Arc<Configuration>,
        read_through: Arc<ReadThrough>,
        cache_bytes: u64,
    ) -> Self {
        Self {
            current,
            configuration,
            targets: Arc::new(Targets::new()),
            cache: ResponseCache::new(cache_bytes),
            cache_bytes,
            encoders: Encoders::new(),
            documents: Arc::new(Documents::new()),
            assets: Arc::new(Assets::new()),
            read_through,
            validation: Arc::default(),
            started: Instant::now(),
            registries: Arc::default(),
            figures: Figures::default(),
            inspections: Arc::default(),
            published: watch::Sender::new(0).subscribe(),
            followers: Arc::new(Semaphore::new(MAX_FOLLOWERS)),
            conversations: Arc::new(Semaphore::new(ROOM_KIB)),
        }
    }

    /// The same where this changes whenever there is another catalog; else nobody is told.
    #[must_use]
    pub fn with_published(self, published: watch::Receiver<u64>) -> Self {
        Self { published, ..self }
    }

    /// The same for a listener on which paths are other requests than on the public one.
    #[must_use]
    pub(super) fn with_targets_of_its_own(self) -> Self {
        Self { targets: Arc::new(Targets::new()), ..self }
    }

    /// Notes which registries there are now.
    pub(super) fn note_registries(&self, registries: &[Arc<Registry>]) {
        self.registries.store(Arc::new(registries.to_vec()));
    }

    /// The registry that stands for this one now: itself, or the one that took its place when the configuration
    /// changed. None where there is none of its name, or where that is at another place.
    pub(super) fn present(&self, registry: &Registry) -> Option<Arc<Registry>> {
        let is_its = |other: &&Arc<Registry>| other.name() == registry.name() && other.url() == registry.url();
        self.registries.load().iter().find(is_its).map(Arc::clone)
    }

    /// The same with figures for the metrics.
    #[must_use]
    pub fn with_figures(self, figures: Figures) -> Self {
        Self { figures, ..self }
    }

    /// Notes that a changed configuration has taken effect, but for the keys that wait for a restart.
    pub fn note_change(&self, now: Timestamp, pending: Vec<&'static str>) {
        self.configuration.note_change(now, pending);
    }

    /// Notes that a changed configuration was refused.
    pub fn note_refusal(&self, refusal: Refusal) {
        self.configuration.note_refusal(refusal);
    }

    /// The same where rendered bodies may take that many bytes. What is there stays, unless that changes.
    #[must_use]
    pub fn with_cache_bytes(self, cache_bytes: u64) -> Self {
        if self.cache_bytes == cache_bytes {
            return self;
        }
        Self { cache: ResponseCache::new(cache_bytes), cache_bytes, ..self }
    }
}
