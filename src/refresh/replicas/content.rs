//! What a replica serves, and what that was made of.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Replicas;
use crate::aside::aside;
use crate::catalog::Catalog;
use crate::catalog::feed::{Bounds, Feed};
use crate::catalog::merge::{Moment, Policy, Source, merge};
use crate::refresh::publish::{pass_on_lineage, settle_aside, until_settled};
use crate::refresh::sources::Sources;
use crate::refresh::{IDLE, Members};
use crate::registry::shared::Known;
use crate::store::shared::Wanted;
use crate::store::shared::book::Book;
use crate::store::shared::chunk::ChunkId;
use crate::store::shared::manifest::Manifest;
use crate::store::shared::protocol::Role;

/// What a replica serves, and what that was made of.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// The last generation that was taken or written.
    pub(super) base: Option<Base>,
    /// What the catalog that is served was merged from, where it was merged here.
    merged: Vec<Source>,
    /// Whether what is served is of this replica's own making, and not of the generation.
    pub(super) is_own: bool,
    /// The members of the last cycle.
    pub(super) members: Option<Arc<Members>>,
    /// The epoch in which it has taken over.
    pub(super) led: Option<u64>,
    /// When it was last alone.
    pub(super) alone_at: Option<Instant>,
    /// A generation that was sent, and of which nobody has said whether it is there; and as it was sent.
    pub(super) pending: Option<(Base, Vec<u8>)>,
    /// What was fetched of a generation that is not whole yet.
    pub(super) fetched: Book,
    /// Whether it leads over what it could not read: then it writes nothing before it has asked all registries.
    pub(super) has_given_up: bool,
    /// What administrators want of the leader, and it has not been told.
    pub(super) unsent: Vec<(String, bool)>,
    /// What it has done of what they want.
    pub(super) heard: VecDeque<Wanted>,
    was_cut: bool,
    /// When something is due by itself.
    due_in: Option<Duration>,
    /// Chunks that nobody needs any more, and since when.
    pub(super) garbage: Vec<(Instant, ChunkId)>,
    /// When the chunks of the generation were last let last anew.
    pub(super) touched_at: Option<Instant>,
    /// Since when there is something to settle.
    started: Option<Instant>,
}

/// A generation as this replica has it.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) manifest: Manifest,
    pub(super) book: Arc<Book>,
    /// What is known of each registry, as it was written; nothing where another replica wrote it.
    pub(super) known: Vec<Known>,
    /// Its catalog, where this replica made the same.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// The feed of that, at the time.
    pub(super) feed: Option<Arc<Feed>>,
}

/// A catalog that is not published yet.
pub(super) struct Draft {
    pub(super) catalog: Arc<Catalog>,
    pub(super) parts: Vec<Source>,
}

impl Content {
    /// How long until something is due by itself.
    pub(super) fn until_due(&mut self, role: Role) -> Duration {
        let due_in = self.due_in.take().unwrap_or(IDLE);
        if role == Role::Following { IDLE } else { due_in }
    }

    /// Puts another generation in the place of the one before. Chunks that it does not name are dropped in a while.
    pub(super) fn replace_base(&mut self, next: Base) {
        let now = Instant::now();
        if let Some(before) = self.base.take() {
            self.garbage.extend(before.book.ids().filter(|id| !next.book.has(*id)).map(|id| (now, id)));
        }
        self.base = Some(next);
    }

    pub(super) fn is_cut(&mut self, replicas: &Replicas, members: &Members, parts: &[Source]) {
        let current = &replicas.refresh.current;
        self.was_cut |= pass_on_lineage(&members.registries, parts, current, self.was_cut);
    }

    /// Whether a catalog was merged of these.
    pub(super) fn is_merged_of(&self, sources: &Sources) -> bool {
        !sources.differ_from(&self.merged)
    }

    /// Shows a catalog.
    pub(super) fn show(&mut self, replicas: &Replicas, catalog: Arc<Catalog>, parts: Vec<Source>) {
        replicas.refresh.current.publish(catalog);
        replicas.refresh.published.send_modify(|catalogs| *catalogs += 1);
        self.merged = parts;
    }

    /// Does here what administrators asked for while another replica led, and that one has not been told of.
    pub(super) fn ask_itself(&mut self, members: &Members) {
        for (name, accept) in self.unsent.drain(..) {
            if let Some(registry) = members.registries.iter().find(|registry| registry.name() == name) {
                registry.request_refresh(accept);
            }
        }
    }

    /// Whether anything has been shown.
    pub(super) fn has_shown(&self) -> bool {
        !self.merged.is_empty()
    }

    /// What follows from what is known of the registries, once that is shown: whether clients can synchronise, and
    /// whether the feed says what happens.
    pub(super) async fn settle(&mut self, replicas: &Replicas, sources: &Sources) {
        let current = &replicas.refresh.current;
        set_ready(replicas, sources.are_attempted);
        let started = *self.started.get_or_insert_with(Instant::now);
        let mut settles_in = until_settled(current, started);
        if settles_in == Some(Duration::ZERO) {
            settle_aside(current.load().clone()).await;
            replicas.refresh.published.send_modify(|catalogs| *catalogs += 1);
            settles_in = None;
        }
        self.due_in = Some(sources.expire_in.min(settles_in.unwrap_or(IDLE)));
    }
}

/// Notes that clients can synchronise, where they can.
pub(super) fn set_ready(replicas: &Replicas, is_ready: bool) {
    let current = &replicas.refresh.current;
    if is_ready && !current.is_ready() {
        current.set_ready();
        let catalog = current.load();
        catalog.forget_restored();
        tracing::info!(servers = catalog.servers().len(), versions = catalog.versions(), "ready");
    }
}

impl Replicas {
    /// Makes catalogs of what this replica knows, for its own clients.
    pub(super) async fn go_alone(&self, content: &mut Content, members: &Arc<Members>) {
        let sources = Sources::read(&members.registries, Timestamp::now());
        content.is_cut(self, members, &sources.parts);
        // With nothing known of any registry, there is nothing to show yet.
        if !content.is_merged_of(&sources) {
            let before = self.refresh.current.load().clone();
            let feed = before.changes.load_full();
            let feed = if content.is_own { feed } else { branch(&feed) };
            let draft = self.draft(&members.policy, &sources, before, feed).await;
            content.show(self, draft.catalog, draft.parts);
            content.is_own = true;
        }
        content.settle(self, &sources).await;
        content.members = Some(Arc::clone(members));
    }

    /// Merges what is known into the catalog that follows `previous`, whose feed is `feed`.
    pub(super) async fn draft(
        &self,
        policy: &Arc<Policy>,
        sources: &Sources,
        previous: Arc<Catalog>,
        feed: Arc<Feed>,
    ) -> Draft {
        let current = &self.refresh.current;
        let moment = Moment { now: Timestamp::now(), is_ready: current.is_ready() };
        // Rendered bodies are kept by revision: in one process it never goes back.
        let revision = current.load().revision.max(previous.revision) + 1;
        let (policy, parts) = (Arc::clone(policy), sources.parts.clone());
        aside(move || {
            let mut catalog = merge(&policy, &parts, &previous, moment);
            (catalog.revision, catalog.published_at) = (revision, Timestamp::now());
            catalog.changes.store(feed.record(&previous, &catalog, fastrand::u64(1..), Bounds::default()));
            Draft { catalog: Arc::new(catalog), parts }
        })
        .await
    }
}

/// The feed of a replica that goes on without the others.
pub(super) fn branch(feed: &Arc<Feed>) -> Arc<Feed> {
    let has_begun = feed.end().incarnation != 0;
    if has_begun { Arc::new(feed.branched(fastrand::u64(1..))) } else { Arc::clone(feed) }
}
