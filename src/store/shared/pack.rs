//! From what the leader knows to a generation in chunks.

use std::sync::Arc;

use super::book::{Book, Held};
use super::chunk::{Chunk, ChunkId, MAX_NAMES_BYTES, MAX_SMALL_BYTES, MAX_USUAL_BYTES, ends_with};
use super::manifest::{CatalogPart, FeedPart, ListingPart};
use super::protocol::Number;
use crate::catalog::Catalog;
use crate::catalog::feed::{Event, Parts};
use crate::catalog::listing::{Listed, Listing};
use crate::catalog::times::{Time, Times};
use crate::registry::wire::RefusedEntries;
use crate::store::changes::write_event;
use crate::store::line::{write_entry, write_line};
use crate::store::problem::Problem;

/// Events stand in chunks by their numbers, so many numbers to a chunk.
const EVENTS: u64 = 64;
/// The longest line of a refused entry, or of a time.
const MAX_LINE_BYTES: usize = 64 << 10;

/// Packs a generation: what was packed before, what there is now, and what of it is new.
#[derive(Debug, Default)]
pub struct Packer {
    before: Arc<Book>,
    now: Book,
    new: Vec<Arc<Chunk>>,
}

impl Packer {
    /// A packer that takes over what is as it was.
    #[must_use]
    pub fn new(before: Arc<Book>) -> Self {
        Self { before, ..Self::default() }
    }

    /// All chunks of the generation, and those that were not there before.
    #[must_use]
    pub fn finish(self) -> (Book, Vec<Arc<Chunk>>) {
        (self.now, self.new)
    }

    /// Packs a listing.
    ///
    /// # Errors
    /// When something in it is larger than can be kept.
    pub fn listing(&mut self, listing: &Arc<Listing>) -> Result<ListingPart, Problem> {
        let before = Arc::clone(&self.before);
        let (index, ids) = match before.of_listing(listing) {
            Some((index, ids)) => {
                for id in ids.iter() {
                    if let Some(Held::Names(names)) = before.get(*id) {
                        self.now.put_names(*id, Arc::clone(names));
                    }
                }
                (Arc::clone(index), Arc::clone(ids))
            }
            None => self.cut(listing)?,
        };
        let id = index.id;
        if !self.before.has(id) && !self.now.has(id) {
            self.new.push(Arc::clone(&index));
        }
        self.now.put_listing(index, ids, Arc::clone(listing));
        Ok(ListingPart { url: listing.url.to_string(), versions: listing.versions, index: id })
    }

    /// Cuts a listing into chunks, and packs those that are new.
    fn cut(&mut self, listing: &Listing) -> Result<(Arc<Chunk>, Arc<[ChunkId]>), Problem> {
        let (mut ids, mut from) = (Vec::new(), 0);
        while from < listing.servers.len() {
            let rest = &listing.servers[from..];
            let names = &rest[..group(rest)];
            ids.push(self.names(names)?);
            from += names.len();
        }
        let index: Vec<u8> = ids.iter().flat_map(|id| id.bytes()).collect();
        Ok((Arc::new(Chunk::pack(&index, MAX_SMALL_BYTES)?), ids.into()))
    }

    fn names(&mut self, names: &[Arc<Listed>]) -> Result<ChunkId, Problem> {
        if let Some(id) = self.before.of_names(names)
            && let Some(Held::Names(known)) = self.before.get(id)
        {
            self.now.put_names(id, Arc::clone(known));
            return Ok(id);
        }
        let content = written(names)?;
        let id = ChunkId::of(&content);
        if !self.before.has(id) && !self.now.has(id) {
            self.new.push(Arc::new(Chunk::pack(&content, MAX_NAMES_BYTES)?));
        }
        self.now.put_names(id, names.into());
        Ok(id)
    }

    fn bytes(&mut self, content: &[u8]) -> Result<ChunkId, Problem> {
        let id = ChunkId::of(content);
        let known = self.before.bytes(id).or_else(|| self.now.bytes(id)).cloned();
        let chunk = if let Some(chunk) = known {
            chunk
        } else {
            let chunk = Arc::new(Chunk::pack(content, MAX_SMALL_BYTES)?);
            self.new.push(Arc::clone(&chunk));
            chunk
        };
        self.now.put_bytes(chunk);
        Ok(id)
    }

    /// Packs the entries that were left out of a listing.
    ///
    /// # Errors
    /// When they cannot be kept.
    pub fn refused(&mut self, refused: &RefusedEntries) -> Result<Option<ChunkId>, Problem> {
        if refused.count == 0 {
            return Ok(None);
        }
        let content = serde_json::to_vec(refused).map_err(|error| Problem::Unfit(error.to_string()))?;
        self.bytes(&content).map(Some)
    }

    /// Packs what of a catalog does not follow from the listings.
    ///
    /// # Errors
    /// When something in it is larger than can be kept.
    pub fn catalog(&mut self, catalog: &Catalog, number: Number, author: u64) -> Result<CatalogPart, Problem> {
        let times = Times::of_catalog(catalog);
        let feed = self.feed(&catalog.changes.load().parts())?;
        Ok(CatalogPart {
            number,
            author,
            published_at: catalog.published_at,
            revision: catalog.revision,
            newest_update: times.newest_update,
            times: self.times(&times)?,
            feed,
        })
    }

    /// Keeps a part of a catalog that is as it was.
    pub fn keep(&mut self, part: &CatalogPart) {
        for id in part.times.iter().chain(&part.feed.events) {
            if let Some(chunk) = self.before.bytes(*id) {
                self.now.put_bytes(Arc::clone(chunk));
            }
        }
    }

    fn times(&mut self, times: &Times) -> Result<Vec<ChunkId>, Problem> {
        let mut ids = Vec::new();
        let mut content = Vec::new();
        let mut known = times.known().iter().peekable();
        while let Some(Time { name, version, at }) = known.next() {
            write_line(&mut content, &(name.as_str(), version, at), MAX_LINE_BYTES)?;
            let is_last_of_name = known.peek().is_none_or(|next| next.name != *name);
            if known.peek().is_none() || is_last_of_name && ends_with(name.as_str()) {
                ids.push(self.bytes(&content)?);
                content.clear();
            }
        }
        Ok(ids)
    }

    /// Packs the feed of changes.
    ///
    /// # Errors
    /// When something in it is larger than can be kept.
    pub fn feed(&mut self, parts: &Parts) -> Result<FeedPart, Problem> {
        let segments = parts.events.chunk_by(|one, next| one.sequence / EVENTS == next.sequence / EVENTS);
        let pack = |events: &[Arc<Event>]| {
            let mut content = Vec::new();
            events.iter().try_for_each(|event| write_event(&mut content, event))?;
            self.bytes(&content)
        };
        let events = segments.map(pack).collect::<Result<_, _>>()?;
        let incarnations = parts.incarnations.iter().map(|start| (start.id, start.begins)).collect();
        let &Parts { last, forgotten, is_waiting, .. } = parts;
        Ok(FeedPart { incarnations, last, forgotten, is_waiting, events })
    }
}

/// The bytes of a chunk that is known, packed anew where it has to be.
///
/// # Errors
/// When it cannot be kept.
pub fn again(book: &Book, id: ChunkId) -> Result<Option<Arc<Chunk>>, Problem> {
    if let Some(chunk) = book.bytes(id) {
        return Ok(Some(Arc::clone(chunk)));
    }
    match book.get(id) {
        // Another release of ours may have written what follows from the same names in another way.
        Some(Held::Names(names)) => {
            let chunk = Chunk::pack(&written(names)?, MAX_NAMES_BYTES)?;
            Ok(Some(Arc::new(chunk)).filter(|chunk| chunk.id == id))
        }
        _ => Ok(None),
    }
}

/// Names as they stand in a chunk.
fn written(names: &[Arc<Listed>]) -> Result<Vec<u8>, Problem> {
    let mut content = Vec::new();
    names.iter().flat_map(|listed| &listed.entries).try_for_each(|entry| write_entry(&mut content, entry))?;
    Ok(content)
}

/// How many of these names make a chunk.
fn group(names: &[Arc<Listed>]) -> usize {
    let mut bytes = 0;
    let is_last = |listed: &Arc<Listed>| {
        bytes += listed.entries.iter().map(|entry| entry.bytes()).sum::<usize>();
        MAX_USUAL_BYTES <= bytes || ends_with(listed.name.as_str())
    };
    names.iter().position(is_last).map_or(names.len(), |last| last + 1)
}

#[cfg(test)]
#[path = "pack_tests.rs"]
mod tests;
