//! What is counted of a listener's connections, and of the bodies that come over them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::load::Load;

/// The connections of a listener since the start.
#[derive(Debug, Default)]
pub(in super::super) struct Connections {
    accepted: AtomicU64,
    ended: AtomicU64,
    rejected: AtomicU64,
    failed: AtomicU64,
}

impl Connections {
    /// How many were accepted.
    pub(in super::super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// How many are open.
    pub(in super::super) fn open(&self) -> u64 {
        self.accepted().saturating_sub(self.ended.load(Ordering::Relaxed))
    }

    /// How many were closed at once, because their address had enough of them.
    pub(in super::super) fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }

    /// How often accepting one failed.
    pub(in super::super) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(in super::super) fn note_rejected(&self) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
    }

    pub(in super::super) fn note_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// An open connection, until it is dropped.
#[derive(Debug)]
pub(in super::super) struct Open(Arc<Load>);

impl Open {
    /// One that was just accepted.
    pub(in super::super) fn new(load: &Arc<Load>) -> Self {
        load.connections.accepted.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(load))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The bodies of requests that somebody wanted, since the start.
#[derive(Debug, Default)]
pub(in super::super) struct PostedBodies {
    read: AtomicU64,
    unread: AtomicU64,
    bytes: AtomicU64,
}

impl PostedBodies {
    pub(super) fn note_read(&self, bytes: usize) {
        self.read.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn note_unread(&self) {
        self.unread.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were read whole.
    pub(in super::super) fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many were not: too long, late, broken, or without room.
    pub(in super::super) fn unread(&self) -> u64 {
        self.unread.load(Ordering::Relaxed)
    }

    /// How many bytes those had that were read.
    pub(in super::super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
