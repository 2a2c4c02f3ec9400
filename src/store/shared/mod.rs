//! The store that replicas share, in Redis (6 or later, or Valkey): what is there, and who may change it.
//!
//! # What is there
//!
//! All keys begin with `{PREFIX}:`, whose braces keep them in one slot of a Cluster (`store.prefix`), and, but for the
//! first, with the version of the format ([`FORMAT`]).
//!
//! | key | what |
//! |---|---|
//! | `{PREFIX}:secret` | what the proxy's id is made of: all replicas are one proxy |
//! | `{PREFIX}:1:state` | a hash: `epoch`, `holder`, `until`, `life` of the lease; `stored_epoch`, `stored_sequence` and `manifest` of the generation; `fresh_at` |
//! | `{PREFIX}:1:chunk:HASH` | a chunk of a generation: compressed, under the BLAKE3 of what it holds; it lasts [`CHUNK_LIFE`], which the leader renews |
//! | `{PREFIX}:1:missing` | a set: chunks that a replica looked for in vain |
//! | `{PREFIX}:1:asked` | a hash: what administrators asked other replicas than the leader for |
//! | `{PREFIX}:1:look-up:answer:HASH`, `…:asks:HASH`, `…:pause:HASH` | what a look-up at a registry brought, or who is about to find out; when names were last looked up there; that it wants to be left in peace |
//! | channel `{PREFIX}:1:news` | `new`: there is a generation; `free`: nobody leads |
//!
//! A *generation* is all that a replica needs to answer as the leader does: per registry the facts that
//! `/registries` shows, whether its servers may be served, and its listing; and of the catalog what does not follow from
//! these: when it was published, since when versions count as changed, the feed of changes. What is small stands in the
//! [`manifest`], what is large in [`chunk`]s that it names. A listing is cut into chunks at names
//! ([`chunk`]), so that a change of one name changes one chunk; whoever has the others fetches that one.
//!
//! Every replica, the leader too, shows a generation only once Redis has taken it. The leader makes its catalog as one
//! process alone does; a follower makes its own of the same listings by the same merge, with the times and the
//! feed that the generation says (`catalog::merge::merge_given`): the same bytes, tags and cursors.
//!
//! # Who may change it
//!
//! [`protocol`] decides that, and says how. Every write of the leader is a script that checks its epoch, the fencing
//! token; a generation takes the place of the one that its writer knows, or of none. Chunks that a generation no longer
//! names, the leader drops ten minutes later; what a leader that crashed has left behind goes when its life ends.
//!
//! # Versions of the program side by side
//!
//! A release that writes another format uses other keys. So replicas of two formats know nothing of one another: each
//! kind has a leader of its own while the upgrade goes on, and the registries see two proxies for that long. Releases of
//! one format may add members to the manifest, and pass over those that they do not know.

pub mod book;
pub mod chunk;
pub mod manifest;
pub mod pack;
pub mod protocol;
pub mod unpack;

mod address;
mod client;
mod link;
mod look_ups;
mod scripts;

use std::time::Duration;

pub use client::{Heard, READ_CHUNKS, Shared, Traffic, Wanted};
pub use look_ups::LookUps;

/// The version of the format.
pub const FORMAT: u32 = 1;
/// How long one question of the protocol may take, at most: less, where the lease is short.
const PULSE_LIMIT: Duration = Duration::from_secs(1);
/// How long chunks last that nobody renews: replicas that are all down for longer begin anew.
pub const CHUNK_LIFE: Duration = Duration::from_hours(24 * 7);

/// What is wrong with `store.url`, if anything.
pub(super) fn problem_with(url: &str) -> Option<&'static str> {
    address::Address::parse(url).err()
}

/// Why Redis did not do what it was asked for, in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It did not answer, or not as it should.
    #[error("{0}")]
    Unwell(String),
    /// Its lease is with another replica: the writer leads no longer.
    #[error("another replica leads")]
    Fenced,
    /// There is another generation than the writer knows.
    #[error("another replica has written")]
    Moved,
    /// Chunks of the generation are not there.
    #[error("{0} chunks of the generation are not there")]
    Missing(usize),
    /// What is there cannot be read.
    #[error("what is there cannot be read: {0}")]
    Unreadable(String),
}

impl Fault {
    fn slow(limit: Duration) -> Self {
        Self::Unwell(format!("no answer within {} s", limit.as_secs_f64()))
    }

    fn of(error: &redis::RedisError) -> Self {
        // What the library says names kinds, codes and what the server answered, and no password.
        Self::Unwell(error.to_string())
    }
}

impl From<super::problem::Problem> for Fault {
    fn from(problem: super::problem::Problem) -> Self {
        Self::Unreadable(problem.to_string())
    }
}
