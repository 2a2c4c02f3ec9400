//! A follower's part: a generation that the leader has written becomes what is known here, and the same catalog.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::Replicas;
use super::content::{Base, Content, branch, set_ready};
use super::lead::digest;
use crate::aside::aside;
use crate::catalog::Catalog;
use crate::catalog::listing::{Listed, Listing};
use crate::catalog::merge::{Source, merge_given};
use crate::refresh::Members;
use crate::refresh::sources::Sources;
use crate::registry::Registry;
use crate::registry::shared::Known;
use crate::store::problem::Problem;
use crate::store::shared::book::{Book, Held};
use crate::store::shared::chunk::{Chunk, ChunkId};
use crate::store::shared::manifest::{Manifest, RegistryPart};
use crate::store::shared::unpack;
use crate::store::shared::{Fault, READ_CHUNKS};

/// How much of a generation counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Take {
    /// All of it.
    Everything,
    /// Of each registry, what was confirmed no earlier than what is known here: this replica has been alone, and is about
    /// to tell the others what it has learned. What it serves stays until then.
    WhatIsNewer,
}

/// The most chunks that are remembered of generations that could not be read to the end.
const MAX_FETCHED: usize = 100_000;
/// How many batches of chunks are read at a time.
const READING: usize = 2;

impl Replicas {
    /// Takes up what the leader has written, if that is news.
    pub(super) async fn follow(&self, content: &mut Content, members: &Arc<Members>) -> Result<(), Fault> {
        let are_new = content.members.as_ref().is_none_or(|known| !Arc::ptr_eq(known, members));
        let is_astray =
            content.is_own && content.base.as_ref().is_none_or(|base| base.manifest.digest == digest(members));
        let has_news = self.member().news().is_some();
        if has_news || is_astray || are_new {
            self.take_up(content, members, Take::Everything).await?;
        }
        // A registry that only this replica has, it asks itself.
        self.merge_own(content, members).await?;
        self.pass_on_requests(content, members).await
    }

    /// Looks whether what the leader writes can be read again, where this replica is alone because it could not be. What
    /// is read is taken up by who follows, a moment later.
    pub(super) async fn return_to_others(&self, content: &mut Content, members: &Arc<Members>) -> Result<(), Fault> {
        if !self.member().is_led(self.now()) {
            return Err(Fault::Moved);
        }
        let Some(manifest) = self.manifest().await? else { return Err(Fault::Moved) };
        let before = content.base.as_ref().map(|base| Arc::clone(&base.book)).unwrap_or_default();
        let (book, _) = self.fetch(content, &manifest, members, before).await?;
        let is_its = manifest.digest == digest(members);
        let readable = aside(move || {
            for chunk in manifest.registries.iter().filter_map(|part| book.bytes(part.refused?)) {
                unpack::refused(chunk)?;
            }
            if is_its { unpack::catalog(&manifest.catalog, &book).map(drop) } else { Ok(()) }
        });
        Ok(readable.await?)
    }

    /// The generation that is there, if there is one.
    async fn manifest(&self) -> Result<Option<Manifest>, Fault> {
        match self.shared.manifest().await? {
            Some(packed) => Ok(Some(aside(move || Manifest::unpack(&packed)).await?)),
            None => Ok(None),
        }
    }

    /// Takes up the generation that is there.
    pub(super) async fn take_up(&self, content: &mut Content, members: &Arc<Members>, take: Take) -> Result<(), Fault> {
        let Some(manifest) = self.manifest().await? else {
            return if self.member().news().is_some() {
                Err(Fault::Unreadable("it is not there".into()))
            } else {
                Ok(())
            };
        };
        let number = manifest.number;
        if !self.may_take(number) || take == Take::Everything && self.waits_for_more(content, members, &manifest) {
            return Ok(());
        }
        let before = content.base.as_ref().map(|base| Arc::clone(&base.book)).unwrap_or_default();
        let (book, listings) = self.fetch(content, &manifest, members, before).await?;
        let book = Arc::new(book);
        let sources = adopt(members, &manifest, &listings, &book, take)?;
        let catalog = self.catalog_of(content, members, &manifest, &book, &sources).await?;
        if let Some(catalog) = catalog.as_ref().filter(|_| take == Take::Everything) {
            self.show_taken(content, members, catalog, &sources, manifest.is_ready);
        }
        content.is_own |= catalog.is_none();
        let feed = catalog.as_ref().map(|catalog| catalog.changes.load_full());
        self.duties().note(&manifest);
        content.base = Some(Base { manifest, book, known: Vec::new(), catalog, feed });
        content.members = Some(Arc::clone(members));
        (content.fetched, content.pending, content.has_given_up) = (Book::default(), None, false);
        self.member().take(number);
        Ok(())
    }

    /// The catalog of a generation; none where this replica makes another one of it.
    async fn catalog_of(
        &self,
        content: &Content,
        members: &Arc<Members>,
        manifest: &Manifest,
        book: &Arc<Book>,
        sources: &[Source],
    ) -> Result<Option<Arc<Catalog>>, Fault> {
        if manifest.digest != digest(members) {
            return Ok(None);
        }
        let are_same_members = content.members.as_ref().is_some_and(|known| Arc::ptr_eq(known, members));
        let before = content.base.as_ref().filter(|_| are_same_members && !content.is_own);
        let before = before.filter(|base| base.manifest.catalog == manifest.catalog);
        if let Some(catalog) = before.and_then(|base| base.catalog.clone()) {
            return Ok(Some(catalog));
        }
        let (part, book, policy) = (manifest.catalog.clone(), Arc::clone(book), Arc::clone(&members.policy));
        let (parts, current) = (sources.to_vec(), self.refresh.current.load().clone());
        let merged = aside(move || {
            let (times, feed) = unpack::catalog(&part, &book)?;
            let catalog = merge_given(&policy, &parts, &current, part.published_at, &Arc::new(times));
            catalog.changes.store(Arc::new(feed));
            Ok::<_, Problem>(Arc::new(catalog))
        });
        Ok(Some(merged.await?))
    }

    fn show_taken(
        &self,
        content: &mut Content,
        members: &Members,
        catalog: &Arc<Catalog>,
        sources: &[Source],
        is_ready: bool,
    ) {
        // Before what came from them: whoever sees our content sees whose it is.
        content.is_cut(self, members, sources);
        if !Arc::ptr_eq(catalog, &self.refresh.current.load()) {
            content.show(self, Arc::clone(catalog), sources.to_vec());
        }
        content.is_own = false;
        set_ready(self, is_ready);
    }

    /// Whether this replica, which has been alone, knows more than the generation says: then it waits until the leader
    /// has caught up, for as long as it would wait for a leader.
    fn waits_for_more(&self, content: &Content, members: &Members, manifest: &Manifest) -> bool {
        let has_patience = content.alone_at.is_some_and(|at| at.elapsed() < self.member().patience());
        has_patience
            && content.is_own
            && members.registries.iter().any(|registry| {
                let part = manifest.registries.iter().find(|part| part.place.has_bytes(&registry.place()));
                part.is_some_and(|part| part.report.listed_at() < registry.status().listed_at)
            })
    }

    /// Makes a catalog of what is known here, where the leader's would be another one: other registries or rules are
    /// configured here.
    async fn merge_own(&self, content: &mut Content, members: &Arc<Members>) -> Result<(), Fault> {
        let is_others = content.base.as_ref().is_some_and(|base| base.catalog.is_none());
        if !is_others {
            return Ok(());
        }
        let sources = Sources::read(&members.registries, Timestamp::now());
        content.is_cut(self, members, &sources.parts);
        if !content.is_merged_of(&sources) {
            let before = self.refresh.current.load().clone();
            let feed = before.changes.load_full();
            // What happens here, the others do not know of.
            let feed = if content.is_own && content.has_shown() { feed } else { branch(&feed) };
            let draft = self.draft(&members.policy, &sources, before, feed).await;
            content.show(self, draft.catalog, draft.parts);
            content.is_own = true;
        }
        content.settle(self, &sources).await;
        Ok(())
    }

    /// Tells the leader what administrators ask this replica for.
    async fn pass_on_requests(&self, content: &mut Content, members: &Members) -> Result<(), Fault> {
        for registry in members.registries.iter().filter(|registry| !registry.is_ours_to_ask()) {
            if let Some(accept) = registry.pass_on_requests() {
                let name = registry.name().to_owned();
                content.unsent.retain(|(known, _)| *known != name);
                content.unsent.push((name, accept));
            }
        }
        while let Some((registry, accept)) = content.unsent.last() {
            self.shared.ask_leader(registry, *accept).await?;
            content.unsent.pop();
        }
        Ok(())
    }

    /// Fetches what of a generation is not in the book, and reads it.
    async fn fetch(
        &self,
        content: &mut Content,
        manifest: &Manifest,
        members: &Members,
        before: Arc<Book>,
    ) -> Result<(Book, HashMap<ChunkId, Arc<Listing>>), Fault> {
        let mut book = Book::default();
        if MAX_FETCHED < content.fetched.len() {
            content.fetched = Book::default();
        }
        self.fetch_small(content, manifest, &before, &mut book).await?;
        let mut listings = HashMap::new();
        for part in &manifest.registries {
            let Some(listing) = &part.listing else { continue };
            let registry = members.registries.iter().find(|registry| part.place.has_bytes(&registry.place()));
            let Some(registry) = registry else { continue };
            let Some(index) = book.bytes(listing.index).cloned() else { return Err(Fault::Missing(1)) };
            let ids = unpack::index(&index)?;
            let known = match before.get(listing.index) {
                Some(Held::Listing(known)) if known.url.as_ref() == listing.url => Some(Arc::clone(known)),
                _ => None,
            };
            self.fetch_names(content, registry, &ids, &before, &mut book).await?;
            let listing_part = listing.clone();
            let (whole, ids) = if let Some(known) = known {
                (known, ids)
            } else {
                let (together, ids, back) = aside(move || {
                    let together = unpack::listing(&listing_part, &ids, &book);
                    (together, ids, book)
                })
                .await;
                book = back;
                (together?, ids)
            };
            book.put_listing(Arc::clone(&index), ids.into(), Arc::clone(&whole));
            listings.insert(listing.index, whole);
        }
        Ok((book, listings))
    }

    /// Fetches the chunks that the manifest names itself.
    async fn fetch_small(
        &self,
        content: &mut Content,
        manifest: &Manifest,
        before: &Book,
        book: &mut Book,
    ) -> Result<(), Fault> {
        let mut wanted = Vec::new();
        for id in manifest.chunks() {
            match before.bytes(id).or_else(|| content.fetched.bytes(id)) {
                Some(chunk) => book.put_bytes(Arc::clone(chunk)),
                None => wanted.push(id),
            }
        }
        let mut missing = Vec::new();
        for batch in wanted.chunks(READ_CHUNKS) {
            for chunk in self.read(batch, &mut missing).await? {
                let chunk = Arc::new(chunk);
                content.fetched.put_bytes(Arc::clone(&chunk));
                book.put_bytes(chunk);
            }
        }
        self.miss(&missing).await
    }

    /// Reads chunks, and notes those that are not there.
    async fn read(&self, batch: &[ChunkId], missing: &mut Vec<ChunkId>) -> Result<Vec<Chunk>, Fault> {
        let found = self.shared.read(batch).await?;
        if found.len() < batch.len() {
            let there: HashSet<ChunkId> = found.iter().map(|chunk| chunk.id).collect();
            missing.extend(batch.iter().filter(|id| !there.contains(id)));
        }
        Ok(found)
    }

    /// Has the leader write what is not there anew.
    async fn miss(&self, missing: &[ChunkId]) -> Result<(), Fault> {
        if missing.is_empty() {
            return Ok(());
        }
        self.shared.miss(missing).await?;
        Err(Fault::Missing(missing.len()))
    }

    /// Fetches chunks of names.
    async fn fetch_names(
        &self,
        content: &mut Content,
        registry: &Arc<Registry>,
        ids: &[ChunkId],
        before: &Book,
        book: &mut Book,
    ) -> Result<(), Fault> {
        let mut wanted = Vec::new();
        for id in ids {
            match before.get(*id).or_else(|| content.fetched.get(*id)) {
                Some(Held::Names(names)) => book.put_names(*id, Arc::clone(names)),
                _ => wanted.push(*id),
            }
        }
        let previous = registry.status().served_listing().cloned();
        let key: Arc<str> = Arc::clone(&registry.settings().provenance_key);
        let mut reading: Vec<JoinHandle<Result<Vec<Named>, Problem>>> = Vec::new();
        let mut missing = Vec::new();
        let mut keep = |names: Vec<Named>| {
            for (id, names) in names {
                content.fetched.put_names(id, Arc::clone(&names));
                book.put_names(id, names);
            }
        };
        for batch in wanted.chunks(READ_CHUNKS) {
            let chunks = self.read(batch, &mut missing).await?;
            let (previous, key) = (previous.clone(), Arc::clone(&key));
            reading.push(tokio::task::spawn_blocking(move || {
                let names = |chunk: &Chunk| Ok((chunk.id, unpack::names(chunk, &key, previous.as_deref())?));
                chunks.iter().map(names).collect()
            }));
            if READING <= reading.len() {
                keep(finished(reading.remove(0)).await?);
            }
        }
        for rest in reading {
            keep(finished(rest).await?);
        }
        self.miss(&missing).await
    }
}

/// Takes over what is known of each registry that both have; returns what the catalog is merged from.
fn adopt(
    members: &Members,
    manifest: &Manifest,
    listings: &HashMap<ChunkId, Arc<Listing>>,
    book: &Book,
    take: Take,
) -> Result<Vec<Source>, Fault> {
    let mut sources = Vec::with_capacity(members.registries.len());
    for registry in &members.registries {
        let Some(part) = manifest.registries.iter().find(|part| part.place.has_bytes(&registry.place())) else {
            sources.push(registry.merge_source(Timestamp::now()));
            continue;
        };
        let listing = part.listing.as_ref().and_then(|listing| listings.get(&listing.index)).cloned();
        let counts = take == Take::Everything || registry.status().listed_at <= part.report.listed_at();
        if counts {
            let chunk = part.refused.and_then(|id| book.bytes(id));
            let refused = chunk.map(|chunk| unpack::refused(chunk)).transpose()?.unwrap_or_default();
            let (report, is_partial) = (part.report.clone(), part.is_partial);
            registry.adopt(Known { report, refused, listing: listing.clone(), is_partial });
        }
        let &RegistryPart { usable, stale_since, is_partial, .. } = part;
        sources.push(Source { usable, stale_since, is_partial, listing, ..registry.merge_source(Timestamp::now()) });
    }
    Ok(sources)
}

/// A chunk that has been read.
type Named = (ChunkId, Arc<[Arc<Listed>]>);

async fn finished(reading: JoinHandle<Result<Vec<Named>, Problem>>) -> Result<Vec<Named>, Fault> {
    match reading.await {
        Ok(read) => Ok(read?),
        Err(failed) => std::panic::resume_unwind(failed.into_panic()),
    }
}
