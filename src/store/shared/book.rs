//! Which chunks there are and what they hold, on the side of one replica: so that the leader packs, and a follower
//! unpacks, only what it has not had before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::chunk::{Chunk, ChunkId};
use crate::catalog::listing::{Listed, Listing};

/// What a chunk holds.
#[derive(Clone, Debug)]
pub enum Held {
    /// Names of a listing.
    Names(Arc<[Arc<Listed>]>),
    /// A listing, by the chunk that names its chunks.
    Listing(Arc<Listing>),
    /// Anything small, as it is kept.
    Bytes(Arc<Chunk>),
}

/// The chunks of a generation.
#[derive(Clone, Debug, Default)]
pub struct Book {
    chunks: HashMap<ChunkId, Held>,
    /// The chunks of names, by the first of them where it is in memory: to find those that are as they were.
    by_first: HashMap<usize, ChunkId>,
    /// The chunks that name those of a listing, as they are kept, and whom they name.
    indexes: HashMap<ChunkId, (Arc<Chunk>, Arc<[ChunkId]>)>,
}

impl Book {
    /// What a chunk holds, if it is known.
    #[must_use]
    pub fn get(&self, id: ChunkId) -> Option<&Held> {
        self.chunks.get(&id)
    }

    /// Whether a chunk is known.
    #[must_use]
    pub fn has(&self, id: ChunkId) -> bool {
        self.chunks.contains_key(&id)
    }

    /// The same without some chunks, and without the listings that are made of them.
    #[must_use]
    pub fn without(&self, gone: &HashSet<ChunkId>) -> Self {
        let mut book = self.clone();
        book.indexes.retain(|id, (_, names)| !gone.contains(id) && names.iter().all(|name| !gone.contains(name)));
        let indexes = &book.indexes;
        let stays = |id: &ChunkId, held: &Held| {
            !gone.contains(id) && (!matches!(held, Held::Listing(_)) || indexes.contains_key(id))
        };
        book.chunks.retain(|id, held| stays(id, held));
        book.by_first.retain(|_, id| !gone.contains(id));
        book
    }

    /// All chunks.
    pub fn ids(&self) -> impl Iterator<Item = ChunkId> {
        self.chunks.keys().copied()
    }

    /// How many chunks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The chunk of these very names, if there is one.
    pub fn of_names(&self, names: &[Arc<Listed>]) -> Option<ChunkId> {
        let id = *self.by_first.get(&address(names.first()?))?;
        let Some(Held::Names(known)) = self.chunks.get(&id) else { return None };
        let are_same = known.len() == names.len() && known.iter().zip(names).all(|(ours, now)| Arc::ptr_eq(ours, now));
        are_same.then_some(id)
    }

    /// Notes a chunk of names.
    pub fn put_names(&mut self, id: ChunkId, names: Arc<[Arc<Listed>]>) {
        if let Some(first) = names.first() {
            self.by_first.insert(address(first), id);
        }
        self.chunks.insert(id, Held::Names(names));
    }

    /// Notes a chunk that is small.
    pub fn put_bytes(&mut self, chunk: Arc<Chunk>) {
        self.chunks.insert(chunk.id, Held::Bytes(chunk));
    }

    /// Notes a listing, by the chunk that names those that it is made of.
    pub fn put_listing(&mut self, index: Arc<Chunk>, ids: Arc<[ChunkId]>, listing: Arc<Listing>) {
        self.chunks.insert(index.id, Held::Listing(listing));
        self.indexes.insert(index.id, (index, ids));
    }

    /// The chunk that names those of this very listing, and whom it names.
    pub fn of_listing(&self, listing: &Arc<Listing>) -> Option<(&Arc<Chunk>, &Arc<[ChunkId]>)> {
        let is_its = |id: &ChunkId| match self.chunks.get(id) {
            Some(Held::Listing(known)) => Arc::ptr_eq(known, listing),
            _ => false,
        };
        self.indexes.iter().find(|(id, _)| is_its(id)).map(|(_, (index, ids))| (index, ids))
    }

    /// The bytes of a chunk that is small.
    pub fn bytes(&self, id: ChunkId) -> Option<&Arc<Chunk>> {
        match self.chunks.get(&id)? {
            Held::Bytes(chunk) => Some(chunk),
            Held::Listing(_) => self.indexes.get(&id).map(|(index, _)| index),
            Held::Names(_) => None,
        }
    }
}

/// Where it is in memory. The book holds it, so nothing else comes to be there.
fn address(listed: &Arc<Listed>) -> usize {
    Arc::as_ptr(listed).addr()
}
