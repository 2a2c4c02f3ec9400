//! What a generation is, as Redis keeps it: a small document that names the chunks of everything that is large.
//!
//! A release may add members, which older ones pass over; whatever they could not pass over comes with another
//! [`FORMAT`](super::FORMAT), which has keys of its own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::chunk::{ChunkId, MAX_SMALL_BYTES, compress, decompress};
use super::protocol::Number;
use crate::registry::shared::Report;
use crate::store::problem::Problem;

/// A generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its number.
    pub number: Number,
    /// Who wrote it.
    pub author: u64,
    /// When.
    pub written_at: Timestamp,
    /// Identifies what its writer makes of listings: whoever makes the same has the same catalog.
    pub digest: ChunkId,
    /// Whether the first attempt to fetch each registry has ended.
    pub is_ready: bool,
    /// What is known of each registry, in the writer's order.
    pub registries: Vec<RegistryPart>,
    /// The catalog that the writer made.
    pub catalog: CatalogPart,
}

/// What is known of one registry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistryPart {
    /// See [`Registry::place`](crate::registry::Registry::place).
    pub place: ChunkId,
    /// The facts.
    pub report: Report,
    /// Whether its servers may be served.
    pub usable: bool,
    /// Since when nobody has confirmed them, where they are served stale.
    pub stale_since: Option<Timestamp>,
    /// Whether the listing is no more than a part.
    pub is_partial: bool,
    /// The entries that were left out, where there are some.
    pub refused: Option<ChunkId>,
    /// What it lists.
    pub listing: Option<ListingPart>,
}

/// What one registry lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListingPart {
    /// Where it was fetched from, as the public may see it.
    pub url: String,
    /// How many versions there are.
    pub versions: usize,
    /// The chunk that names the chunks of the versions, in order.
    pub index: ChunkId,
}

/// What the writer's catalog has that does not follow from the listings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogPart {
    /// The generation that brought it: later ones may have the same catalog.
    pub number: Number,
    /// Who made it: later generations with it may be of others.
    pub author: u64,
    /// When it was published.
    pub published_at: Timestamp,
    /// Its revision where it was made.
    pub revision: u64,
    /// The newest `updatedAt` that was ever served.
    pub newest_update: Timestamp,
    /// Since when versions count as changed.
    pub times: Vec<ChunkId>,
    /// The feed of changes.
    pub feed: FeedPart,
}

/// The feed of changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedPart {
    /// Its starts, with the number of the last event before each.
    pub incarnations: Vec<(u64, u64)>,
    /// The number of the newest event there ever was.
    pub last: u64,
    /// The number of the newest event that was dropped.
    pub forgotten: u64,
    /// Whether it waits for registries to be tried.
    pub is_waiting: bool,
    /// The events.
    pub events: Vec<ChunkId>,
}

impl Manifest {
    /// As Redis keeps it.
    ///
    /// # Errors
    /// When it is too large.
    pub fn pack(&self) -> Result<Vec<u8>, Problem> {
        let content = serde_json::to_vec(self).map_err(|error| Problem::Unfit(error.to_string()))?;
        compress(&content, MAX_SMALL_BYTES)
    }

    /// What [`Manifest::pack`] made.
    ///
    /// # Errors
    /// When it made something else.
    pub fn unpack(packed: &[u8]) -> Result<Self, Problem> {
        let content = decompress(packed, MAX_SMALL_BYTES)?;
        serde_json::from_slice(&content).map_err(|error| Problem::Damaged(error.to_string()))
    }

    /// The chunks that it names itself.
    pub fn chunks(&self) -> impl Iterator<Item = ChunkId> {
        let registries = self.registries.iter().flat_map(|registry| {
            registry.refused.into_iter().chain(registry.listing.iter().map(|listing| listing.index))
        });
        let catalog = &self.catalog;
        registries.chain(catalog.times.iter().copied()).chain(catalog.feed.events.iter().copied())
    }
}
