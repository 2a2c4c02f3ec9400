//! How much a registry may send, and how long it may take: the outgoing part of `[limits]`.

use std::time::Duration;

/// What an administrator may allow one entry, one registry's versions and their JSON to come to. The store reads no
/// more than that of any file.
pub const HIGHEST_ENTRY_SIZE: usize = 16 << 20;
/// See [`HIGHEST_ENTRY_SIZE`].
pub const HIGHEST_LISTING_VERSIONS: usize = 100_000_000;
/// See [`HIGHEST_ENTRY_SIZE`].
pub const HIGHEST_LISTING_SIZE: usize = 64 << 30;

/// What one registry may cost at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest answer, in bytes, decompressed.
    pub max_response_size: usize,
    /// The largest answer, in bytes, as it comes compressed.
    pub max_compressed_size: usize,
    /// The largest entry, in bytes of JSON. The largest real ones have 157 KB.
    pub max_entry_size: usize,
    /// The most JSON of one registry's listing, in bytes.
    pub max_listing_size: usize,
    /// The most versions of one registry.
    pub max_listing_versions: usize,
    /// The most pages of one walk.
    pub max_pages: u32,
    /// How long one page may take, redirects included.
    pub request_timeout: Duration,
    /// How long a walk may take, waits and rests included.
    pub walk_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_response_size: 32 << 20,
            max_compressed_size: 16 << 20,
            max_entry_size: 256 << 10,
            // Two million entries of the usual size.
            max_listing_size: 2 << 30,
            // Twenty times what the official registry has today.
            max_listing_versions: 2_000_000,
            max_pages: 20_000,
            // The official registry needs 20 s on bad days; its gateway gives up at 60.
            request_timeout: Duration::from_secs(75),
            // A million versions at the slowest that the official registry gets.
            walk_timeout: Duration::from_hours(12),
        }
    }
}
