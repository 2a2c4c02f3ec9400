//! Where the two walks meet: the catalog of the moment, and whose content it passes on. `refresh` publishes,
//! `serve` reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};

use super::Catalog;
use super::lineage::Lineage;

/// The catalog of the moment. Readers never wait.
#[derive(Debug, Default)]
pub struct Current {
    catalog: ArcSwap<Catalog>,
    lineage: ArcSwap<Lineage>,
    ready: AtomicBool,
}

impl Current {
    /// The catalog as it is now. A request loads it once and never looks again.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Catalog>> {
        self.catalog.load()
    }

    /// Replaces the catalog.
    pub fn publish(&self, catalog: Arc<Catalog>) {
        self.catalog.store(catalog);
    }

    /// The proxies whose content this one passes on. Not a part of the catalog: it may change while no entry does,
    /// and then nothing that was derived from the catalog shall be in vain.
    #[must_use]
    pub fn lineage(&self) -> Guard<Arc<Lineage>> {
        self.lineage.load()
    }

    /// Replaces the lineage. It has to be there before a catalog that holds content of those whom it names.
    pub fn set_lineage(&self, lineage: Arc<Lineage>) {
        self.lineage.store(lineage);
    }

    /// Notes that the first attempt to fetch each registry has ended and its result is published.
    pub fn set_ready(&self) {
        self.ready.store(true, Ordering::Release);
    }

    /// Whether that has happened. It never goes back.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}
