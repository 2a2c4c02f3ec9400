//! What was kept, given back to the registries at the start.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use jiff::Timestamp;

use super::Store;
use crate::catalog::effects::Effects;
use crate::catalog::feed::Kept;
use crate::registry::Registry;

/// How many files are read at a time.
const FILES: usize = 4;
/// How many threads read one file, at most: one takes the lines out of it, which takes a quarter of the time.
const THREADS: usize = 4;

/// Gives each registry the listing that was kept of it, where there is one and it is of that registry as it is
/// configured now. What cannot be used is named in the log, and left as it is. Returns the effects that were kept;
/// none where nothing was kept at all. Blocks until all files are read.
#[must_use]
pub fn restore(store: &Store, registries: &[Arc<Registry>], now: Timestamp) -> Option<Effects> {
    let registries: Vec<_> = registries.iter().filter(|registry| !registry.is_file()).collect();
    let files = FILES.min(registries.len()).max(1);
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = processors.div_ceil(files).min(THREADS);
    let (next, was_used) = (AtomicUsize::new(0), AtomicBool::new(false));
    let read = || {
        while let Some(registry) = registries.get(next.fetch_add(1, Ordering::Relaxed)) {
            was_used.fetch_or(restore_one(store, registry, now, threads), Ordering::Relaxed);
        }
    };
    let effects = std::thread::scope(|scope| {
        let effects = std::thread::Builder::new().spawn_scoped(scope, || store.read_effects());
        // With fewer threads than there should be, and with this one alone, it takes longer.
        for _ in 1..files {
            let _ = std::thread::Builder::new().spawn_scoped(scope, read);
        }
        read();
        // Where there was no thread to be had, it is their turn now.
        effects.map_or_else(|_| store.read_effects(), |it| it.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    match effects {
        Ok(Some(effects)) => Some(effects),
        Ok(None) => was_used.into_inner().then(Effects::default),
        Err(problem) => {
            let path = store.effects_path();
            tracing::warn!(
                path = %path.display(),
                reason = %problem,
                "what is known of clients that synchronise cannot be read: to them, everything has changed now"
            );
            Some(Effects::default())
        }
    }
}

/// The feed of changes that was kept, if one was and can be read. Without it, those who follow the feed are told to walk
/// the list again.
#[must_use]
pub fn changes(store: &Store) -> Option<Kept> {
    store.read_changes().unwrap_or_else(|problem| {
        let path = store.changes_path();
        tracing::warn!(
            path = %path.display(),
            reason = %problem,
            "the feed of changes cannot be read: it begins anew, and those who follow it walk the list again"
        );
        None
    })
}

/// Gives one registry the listing that was kept of it, as [`restore`] does, by so many threads. Says whether there was a
/// file.
pub fn restore_one(store: &Store, registry: &Registry, now: Timestamp, threads: usize) -> bool {
    let name = registry.name();
    let reason = match store.read_listing(name, threads) {
        Ok(None) => return false,
        Ok(Some(stored)) => {
            let (versions, listed_at) = (stored.listing.versions, stored.listed_at);
            match registry.restore(stored, now) {
                Ok(()) => {
                    let age_s = now.duration_since(listed_at).as_secs();
                    tracing::info!(registry = name, versions, %listed_at, age_s, "restored the stored listing");
                    return true;
                }
                Err(mismatch) => mismatch.to_string(),
            }
        }
        Err(problem) => problem.to_string(),
    };
    let path = store.listing_path(name);
    tracing::warn!(
        registry = name,
        path = %path.display(),
        reason,
        "a stored listing cannot be used: the registry begins without one, and the file stays until there is a new one; \
         one that cannot be read is kept beside it even then"
    );
    true
}
