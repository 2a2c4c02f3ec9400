//! The leader's part: what it knows becomes a generation, and once Redis has taken that, a catalog that is served.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::content::{Base, Content, Draft, branch};
use super::follow::Take;
use super::{Errands, Replicas};
use crate::aside::aside;
use crate::catalog::merge::{Policy, Source};
use crate::refresh::Members;
use crate::refresh::sources::Sources;
use crate::registry::Registry;
use crate::registry::shared::Known;
use crate::store::problem::Problem;
use crate::store::shared::book::Book;
use crate::store::shared::chunk::{Chunk, ChunkId};
use crate::store::shared::manifest::{CatalogPart, Manifest, RegistryPart};
use crate::store::shared::pack::{self, Packer};
use crate::store::shared::protocol::{Number, Role};
use crate::store::shared::{CHUNK_LIFE, Fault, Wanted};

/// How long chunks stay that no generation names any more: somebody may be about to fetch them.
const GRACE: Duration = Duration::from_mins(10);
/// How often the leader lets its chunks last anew.
const TOUCH_INTERVAL: Duration = Duration::from_secs(CHUNK_LIFE.as_secs() / 24);

/// How often it is written that registries were tested, where that is all that is new.
const CHECKS_INTERVAL: Duration = Duration::from_secs(10);
/// How many requests of administrators the leader remembers to have done: Redis tells it of each until it says so.
const MAX_HEARD: usize = 64;

/// How often what is known is read until it is of one moment.
const ATTEMPTS: usize = 16;

/// What is to be written.
struct Writing<'a> {
    epoch: u64,
    base: Number,
    number: Number,
    sources: &'a Sources,
    known: Vec<Known>,
    draft: Option<&'a Draft>,
    /// Whether it is written although nothing has changed.
    must_write: bool,
}

/// What a generation is packed from.
struct Materials {
    number: Number,
    author: u64,
    digest: ChunkId,
    is_ready: bool,
    known: Vec<(ChunkId, Known)>,
    parts: Vec<Source>,
    /// The catalog, where it is another one, or its feed is; the part of the one before otherwise.
    catalog: Result<Arc<crate::catalog::Catalog>, Box<CatalogPart>>,
}

impl Replicas {
    /// Writes what there is to write, and serves it.
    pub(super) async fn lead(&self, content: &mut Content, members: &Arc<Members>, epoch: u64) -> Result<(), Fault> {
        // What others have written before counts: also where this replica has been alone meanwhile.
        self.take_up_first(content, members).await?;
        // Reading may have taken longer than the lease lasted.
        if !self.leads_in(epoch) {
            return Err(Fault::Fenced);
        }
        self.take_turn(Role::Leading(epoch));
        let Some((base, number)) = self.member().next(epoch) else { return Ok(()) };
        content.ask_itself(members);
        if content.pending.as_ref().is_some_and(|(pending, _)| pending.manifest.number == number) {
            // It may be there already, and be it late: under this number nothing else may come.
            self.deliver(content, epoch, base).await?;
            self.refresh.changed.notify_one();
            return Ok(());
        }
        let is_new_epoch = content.led != Some(epoch);
        let has_lost_some = self.run_errands(content, members, epoch, is_new_epoch).await?;
        let (sources, known) = read(&members.registries)?;
        if content.has_given_up && !sources.are_attempted {
            self.go_alone(content, members).await;
            return Err(Fault::Moved);
        }
        content.is_cut(self, members, &sources.parts);
        let draft = self.next_catalog(content, members, &sources).await;
        let must_write = is_new_epoch || has_lost_some || draft.is_some() || base != self.member().seen();
        let writing = Writing { epoch, base, number, sources: &sources, known, draft: draft.as_ref(), must_write };
        if self.write(content, members, writing).await? {
            content.led = Some(epoch);
            (content.is_own, content.has_given_up) = (false, false);
        }
        if let Some(Draft { catalog, parts }) = draft {
            content.show(self, catalog, parts);
        }
        content.settle(self, &sources).await;
        content.members = Some(Arc::clone(members));
        self.tidy(content, epoch).await
    }

    /// Takes up what others have written. What nobody could read for as long as a replica waits for a leader, though all
    /// had a turn, is given up: it would keep everybody from leading.
    async fn take_up_first(&self, content: &mut Content, members: &Arc<Members>) -> Result<(), Fault> {
        let Some(stored) = self.member().news() else { return Ok(()) };
        // Its own, of which it was not told that it arrived: what has been learned since counts more.
        if let Some((base, _)) = content.pending.take_if(|(pending, _)| pending.manifest.number == stored) {
            self.member().committed(stored);
            self.duties().note(&base.manifest);
            content.replace_base(base);
            return Ok(());
        }
        let take = if content.is_own { Take::WhatIsNewer } else { Take::Everything };
        let taken = self.take_up(content, members, take).await;
        let is_there = self.member().news().is_none();
        let fault = match taken {
            Ok(()) if is_there => {
                self.duties().begin_anew();
                return Ok(());
            }
            Ok(()) => Fault::Unreadable("its number is another one".into()),
            Err(fault @ (Fault::Missing(_) | Fault::Unreadable(_))) => fault,
            Err(fault) => return Err(fault),
        };
        if !self.member().may_give_up(self.now()) {
            return Err(fault);
        }
        content.has_given_up = true;
        tracing::warn!(reason = %fault, "what replicas had shared is given up: this one goes on from what it has");
        self.member().take(stored);
        Ok(())
    }

    /// The catalog that follows, unless it is the one that is served.
    async fn next_catalog(&self, content: &Content, members: &Members, sources: &Sources) -> Option<Draft> {
        let base = content.base.as_ref().and_then(|base| base.catalog.as_ref());
        // One that was sent, and of which it was not heard in time that it arrived, was never shown.
        let is_shown = base.is_none_or(|base| Arc::ptr_eq(base, &self.refresh.current.load()));
        let is_served = is_shown && !content.is_own && content.is_merged_of(sources);
        if is_served {
            return None;
        }
        // All replicas go on from what all have seen, whatever this one has shown meanwhile.
        let shared = content.base.as_ref().and_then(|base| base.catalog.clone());
        let previous = shared.unwrap_or_else(|| self.refresh.current.load().clone());
        let feed = previous.changes.load_full();
        // Redis may have lost what the leader before said last, and clients may know it: no number comes again.
        let is_of_another = |base: &Base| base.manifest.catalog.author != self.shared.replica();
        let feed = if content.base.as_ref().is_some_and(is_of_another) { branch(&feed) } else { feed };
        Some(self.draft(&members.policy, sources, previous, feed).await)
    }

    /// Writes a generation, unless nothing has changed. Says whether it did.
    async fn write(&self, content: &mut Content, members: &Members, writing: Writing<'_>) -> Result<bool, Fault> {
        let Writing { epoch, base, number, sources, known, draft, must_write } = writing;
        let catalog = draft.map_or_else(|| self.refresh.current.load().clone(), |draft| Arc::clone(&draft.catalog));
        let feed = catalog.changes.load_full();
        let before = content.base.as_ref();
        let is_same_catalog = draft.is_none()
            && before.is_some_and(|base| base.feed.as_ref().is_some_and(|known| Arc::ptr_eq(known, &feed)));
        let part_before = before.filter(|_| is_same_catalog).map(|base| base.manifest.catalog.clone());
        let is_ready = sources.are_attempted || self.refresh.current.is_ready();
        if !must_write && before.is_some_and(|base| is_same(base, &known, digest(members), is_ready, is_same_catalog)) {
            return Ok(false);
        }
        let places = members.registries.iter().map(|registry| ChunkId::from_bytes(registry.place()));
        let materials = Materials {
            number,
            author: self.shared.replica(),
            digest: digest(members),
            is_ready,
            known: places.zip(known.clone()).collect(),
            parts: sources.parts.clone(),
            catalog: part_before.map_or_else(|| Ok(Arc::clone(&catalog)), |part| Err(Box::new(part))),
        };
        let book = before.map(|base| Arc::clone(&base.book)).unwrap_or_default();
        let (manifest, book, new, bytes) = aside(move || packed(materials, book)).await?;
        if !self.leads_in(epoch) {
            return Err(Fault::Fenced);
        }
        self.shared.put(epoch, &new).await?;
        let next = Base { manifest, book: Arc::new(book), known, catalog: Some(catalog), feed: Some(feed) };
        content.pending = Some((next, bytes));
        self.deliver(content, epoch, base).await?;
        Ok(true)
    }

    /// Has Redis take the generation that is to be sent.
    async fn deliver(&self, content: &mut Content, epoch: u64, base: Number) -> Result<(), Fault> {
        let Some((next, bytes)) = &content.pending else { return Ok(()) };
        let number = next.manifest.number;
        self.shared.commit(epoch, base, number, bytes).await?;
        self.member().committed(number);
        self.duties().note(&next.manifest);
        if let Some((next, _)) = content.pending.take() {
            content.replace_base(next);
        }
        Ok(())
    }

    /// Does what others want of the leader, and what is to be done once in an epoch. Says whether chunks are lost for
    /// good, so that others have to take their place.
    async fn run_errands(
        &self,
        content: &mut Content,
        members: &Members,
        epoch: u64,
        is_new_epoch: bool,
    ) -> Result<bool, Fault> {
        let Errands { mut missing, asked } = self.take_errands();
        for wanted in asked {
            self.do_what_is_wanted(content, members, epoch, wanted).await?;
        }
        let Some(base) = &mut content.base else { return Ok(false) };
        let is_due = content.touched_at.is_none_or(|at| TOUCH_INTERVAL < at.elapsed());
        if is_new_epoch || is_due {
            let ids: Vec<ChunkId> = base.book.ids().collect();
            missing.extend(self.shared.touch(epoch, &ids).await?);
            content.touched_at = Some(Instant::now());
        }
        if missing.is_empty() {
            return Ok(false);
        }
        let (book, mut wanted) = (Arc::clone(&base.book), missing.into_iter().collect::<HashSet<_>>());
        let count = wanted.len();
        let ids = wanted.clone();
        let again =
            aside(move || ids.into_iter().map(|id| pack::again(&book, id)).collect::<Result<Vec<_>, Problem>>());
        let again: Vec<Arc<Chunk>> = again.await?.into_iter().flatten().collect();
        self.shared.put(epoch, &again).await?;
        tracing::info!(missing = count, rewritten = again.len(), "rewrote chunks that Redis had lost");
        // Those of the generation that another release wrote in another way come anew, under other names.
        wanted.retain(|id| base.book.has(*id) && again.iter().all(|chunk| chunk.id != *id));
        if wanted.is_empty() {
            return Ok(false);
        }
        base.book = Arc::new(base.book.without(&wanted));
        Ok(true)
    }

    /// Does what an administrator asked another replica for, once.
    async fn do_what_is_wanted(
        &self,
        content: &mut Content,
        members: &Members,
        epoch: u64,
        wanted: Wanted,
    ) -> Result<(), Fault> {
        if !content.heard.contains(&wanted) {
            if let Some(registry) = members.registries.iter().find(|registry| registry.name() == wanted.registry) {
                registry.request_refresh(wanted.accept);
            }
            if MAX_HEARD <= content.heard.len() {
                content.heard.pop_front();
            }
            content.heard.push_back(wanted.clone());
        }
        self.shared.has_heard(epoch, &wanted).await
    }

    /// Drops chunks that nobody needs any more.
    async fn tidy(&self, content: &mut Content, epoch: u64) -> Result<(), Fault> {
        let now = Instant::now();
        let Some(base) = &content.base else { return Ok(()) };
        // What has come back meanwhile is no garbage.
        content.garbage.retain(|(_, id)| !base.book.has(*id));
        let is_due = |(since, _): &(Instant, ChunkId)| GRACE <= now - *since;
        let due: Vec<ChunkId> = content.garbage.iter().filter(|item| is_due(item)).map(|(_, id)| *id).collect();
        if due.is_empty() || !self.leads_in(epoch) {
            return Ok(());
        }
        self.shared.drop_chunks(epoch, &due).await?;
        content.garbage.retain(|item| !is_due(item));
        Ok(())
    }
}

/// Reads what is known of all registries, of one moment each: what is said of a listing belongs to it.
fn read(registries: &[Arc<Registry>]) -> Result<(Sources, Vec<Known>), Fault> {
    for _ in 0..ATTEMPTS {
        let sources = Sources::read(registries, Timestamp::now());
        let known: Vec<Known> = registries.iter().map(|registry| registry.known()).collect();
        let is_of_one_moment = |(source, known): (&Source, &Known)| {
            let is_same = match (&source.listing, &known.listing) {
                (Some(ours), Some(theirs)) => Arc::ptr_eq(ours, theirs),
                (ours, theirs) => ours.is_none() && theirs.is_none(),
            };
            is_same && source.is_partial == known.is_partial
        };
        if sources.parts.iter().zip(&known).all(is_of_one_moment) {
            return Ok((sources, known));
        }
    }
    // Everything changes all the time: the next cycle sees.
    Err(Fault::Moved)
}

/// Identifies what is made of listings here: the registries in their order, the rules, how they are merged and shown.
pub(super) fn digest(members: &Members) -> ChunkId {
    let mut hash = blake3::Hasher::new();
    for registry in &members.registries {
        hash.update(&registry.place());
        hash.update(registry.rules().digest());
    }
    let Policy { mode, provenance } = &*members.policy;
    hash.update(format!("{mode:?} {} {}", provenance.publish_urls, provenance.key).as_bytes());
    ChunkId::from_bytes(*hash.finalize().as_bytes())
}

/// Whether a generation would say nothing that the one before it did not.
fn is_same(before: &Base, known: &[Known], digest: ChunkId, is_ready: bool, is_same_catalog: bool) -> bool {
    let is_young = Timestamp::now().duration_since(before.manifest.written_at).unsigned_abs() < CHECKS_INTERVAL;
    let is_same_known = |(was, is): (&Known, &Known)| {
        let is_same_listing = match (&was.listing, &is.listing) {
            (Some(was), Some(is)) => Arc::ptr_eq(was, is),
            (was, is) => was.is_none() && is.is_none(),
        };
        is_same_listing && was.is_partial == is.is_partial && was.refused == is.refused && {
            was.report == is.report || is_young && was.report.differs_by_a_check_alone(&is.report)
        }
    };
    is_same_catalog
        && before.manifest.digest == digest
        && before.manifest.is_ready == is_ready
        && before.known.len() == known.len()
        && before.known.iter().zip(known).all(is_same_known)
}

type Packed = (Manifest, Book, Vec<Arc<Chunk>>, Vec<u8>);

fn packed(materials: Materials, before: Arc<Book>) -> Result<Packed, Problem> {
    let Materials { number, author, digest, is_ready, known, parts, catalog } = materials;
    let mut packer = Packer::new(before);
    let mut registries = Vec::with_capacity(known.len());
    for ((place, known), source) in known.into_iter().zip(parts) {
        let Known { report, refused, .. } = known;
        registries.push(RegistryPart {
            place,
            report,
            usable: source.usable,
            stale_since: source.stale_since,
            is_partial: source.is_partial,
            refused: packer.refused(&refused)?,
            // What the catalog was merged from: what is known by now may be newer.
            listing: source.listing.as_ref().map(|listing| packer.listing(listing)).transpose()?,
        });
    }
    let catalog = match catalog {
        Ok(catalog) => packer.catalog(&catalog, number, author)?,
        Err(part) => {
            packer.keep(&part);
            *part
        }
    };
    let (book, new) = packer.finish();
    let written_at = Timestamp::now();
    let manifest = Manifest { number, author, written_at, digest, is_ready, registries, catalog };
    let bytes = manifest.pack()?;
    Ok((manifest, book, new, bytes))
}
