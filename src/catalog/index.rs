//! The index of a catalog: for what lists are asked, which servers may have it. What it names, the walk looks at;
//! what it does not name has nothing of it.
//!
//! The sorted servers are cut into chunks, each indexed by itself. A merge keeps every chunk of the previous
//! catalog whose servers all stay as they were, in the others the columns of servers that stay, and of servers that
//! change the columns of versions that stay: so its cost is a pass of pointer comparisons and work in the chunks that
//! changed, where only the texts that changed are read.
//!
//! Texts are indexed as in `BitFunnel` (Goodwin et al., SIGIR 2017): each is hashed to a signature, and the
//! signatures stand side by side ([`matrix`]). The texts themselves are in the entries and not here.

mod builder;
mod chunk;
mod grams;
mod lines;
mod matrix;
mod unpacked;

use std::sync::Arc;

use jiff::Timestamp;

use super::halves::both;
use super::page::{Filter, VersionFilter};
use super::{Participant, Server};
use builder::{Before, Builder};
use chunk::Chunk;
use grams::{Commonness, Wanted};
use unpacked::Unpacked;

/// How many columns a new chunk gets. Fewer make a change cheaper; more, a search. Tests get many chunks of few
/// servers.
const COLUMNS: usize = if cfg!(test) { 8 } else { 256 };
/// A chunk that changes and would have more than so many columns is made anew in chunks of [`COLUMNS`].
const MAX_COLUMNS: usize = 2 * COLUMNS;
/// A chunk that changes and has fewer columns than this is joined with the next one.
const MIN_COLUMNS: usize = COLUMNS / 4;
/// A server of more versions is a chunk of its own: it makes no change of its neighbours dear.
const MANY_VERSIONS: usize = if cfg!(test) { 64 } else { 4 << 10 };
/// The first index of more servers than this is made in two threads, and after the catalog is there for all to see.
const MANY_SERVERS: usize = if cfg!(test) { 16 } else { 8 << 10 };

/// What is indexed of a catalog's servers. One that has no chunks says of every server that it may match.
#[derive(Debug, Default)]
pub(super) struct Index {
    chunks: Vec<Placed>,
    commonness: Option<Sampled>,
}

/// What stands for an index that has not been made yet.
pub(super) static UNKNOWN: Index = Index { chunks: Vec::new(), commonness: None };

/// A chunk, and its first server.
#[derive(Debug)]
struct Placed {
    first: usize,
    chunk: Arc<Chunk>,
}

/// What is common, and of how many servers that is known.
#[derive(Clone, Debug)]
struct Sampled {
    servers: usize,
    commonness: Arc<Commonness>,
}

/// What the index is asked for.
#[derive(Debug)]
pub(super) struct Question {
    since: Option<Timestamp>,
    lines: Vec<u32>,
    version: Option<u16>,
    needle: Option<Wanted>,
}

/// A server that may have what is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// Its position in the catalog.
    pub(super) server: usize,
    /// Its chunk, and its position in there; none where nothing is known of it.
    known: Option<(&'a Chunk, usize)>,
}

impl Index {
    /// Whether the next index, of so many servers, can share nothing with this one, and takes long to make.
    pub(super) fn is_of_no_use_for(&self, servers: usize) -> bool {
        self.known_to(servers).is_none_or(|_| self.chunks.is_empty()) && MANY_SERVERS < servers
    }

    /// What is common, if that was learned of about so many servers.
    fn known_to(&self, servers: usize) -> Option<&Sampled> {
        self.commonness.as_ref().filter(|known| known.is_of_as_many_as(servers))
    }

    /// The index of these servers, which shares what it can with that of the servers before.
    pub(super) fn after(
        previous: &Self,
        before: &[Arc<Server>],
        servers: &[Arc<Server>],
        registries: &[Participant],
    ) -> Self {
        let known = previous.known_to(servers.len());
        let kept = known.map_or(&[][..], |_| &previous.chunks);
        let known = known
            .cloned()
            .unwrap_or_else(|| Sampled { servers: servers.len(), commonness: Arc::new(Commonness::of(servers)) });
        let builder = || Builder::new(registries, &known.commonness);
        let chunks = if kept.is_empty() && MANY_SERVERS < servers.len() {
            in_halves(servers, |servers| Succession::new(&[], servers, builder()).run(&[]))
        } else {
            Succession::new(before, servers, builder()).run(kept)
        };
        Self { chunks, commonness: Some(known) }
    }

    /// What a filter asks of this index, given the lower-cased needle.
    pub(super) fn question(&self, filter: &Filter, needle: Option<&str>) -> Question {
        let commonness = self.commonness.as_ref();
        let wanted = |needle: &str| commonness.map(|known| Wanted::new(needle.as_bytes(), &known.commonness));
        Question {
            since: filter.updated_since,
            lines: filter.of_servers().iter().map(|line| lines::hash_of_line(line)).collect(),
            version: match &filter.version {
                VersionFilter::Exact(version) => Some(chunk::hash_of_version(version)),
                VersionFilter::Any | VersionFilter::Latest => None,
            },
            needle: needle.and_then(wanted),
        }
    }

    /// The first server at or after `from` that may have what is asked for.
    pub(super) fn next(&self, question: &Question, from: usize) -> Option<Candidate<'_>> {
        if self.chunks.is_empty() {
            return Some(Candidate { server: from, known: None });
        }
        let found = self.chunks.partition_point(|placed| placed.first <= from).saturating_sub(1);
        self.chunks.get(found..)?.iter().find_map(|Placed { first, chunk }| {
            let at = chunk.next(question, from.saturating_sub(*first))?;
            Some(Candidate { server: first + at, known: Some((chunk, at)) })
        })
    }
}

impl<'a> Candidate<'a> {
    /// Whether its name may contain the needle.
    pub(super) fn may_be_named(self, question: &Question) -> bool {
        self.asked(question).is_none_or(|(needle, chunk, at)| chunk.may_be_named(needle, at))
    }

    /// Whether the text of one of its versions may contain the needle.
    pub(super) fn may_contain(self, question: &Question, version: usize) -> bool {
        self.asked(question).is_none_or(|(needle, chunk, at)| chunk.may_contain(needle, at, version))
    }

    fn asked<'q>(self, question: &'q Question) -> Option<(&'q Wanted, &'a Chunk, usize)> {
        let (chunk, at) = self.known?;
        question.needle.as_ref().map(|needle| (needle, chunk, at))
    }
}

impl Sampled {
    /// Whether it was learned of about so many servers.
    fn is_of_as_many_as(&self, servers: usize) -> bool {
        servers / 2 <= self.servers && self.servers / 2 <= servers
    }
}

/// Makes chunks of servers, of each half in a thread of its own: each chunk depends on nothing but its servers.
fn in_halves(servers: &[Arc<Server>], make: impl Fn(&[Arc<Server>]) -> Vec<Placed> + Sync) -> Vec<Placed> {
    let (left, right) = servers.split_at(servers.len() / 2);
    let (mut chunks, others) = both(|| make(left), || make(right));
    chunks.extend(others.into_iter().map(|Placed { first, chunk }| Placed { first: left.len() + first, chunk }));
    chunks
}

/// Makes the chunks of servers out of those of the servers before.
struct Succession<'a> {
    before: &'a [Arc<Server>],
    servers: &'a [Arc<Server>],
    builder: Builder<'a>,
    chunks: Vec<Placed>,
    /// The first server that is neither in a chunk nor in the builder.
    at: usize,
    /// The first server that is in no chunk.
    built: usize,
    /// At how many columns the chunk at hand ends.
    limit: usize,
}

impl<'a> Succession<'a> {
    fn new(before: &'a [Arc<Server>], servers: &'a [Arc<Server>], builder: Builder<'a>) -> Self {
        Self { before, servers, builder, chunks: Vec::new(), at: 0, built: 0, limit: COLUMNS }
    }

    fn run(mut self, kept: &[Placed]) -> Vec<Placed> {
        self.chunks.reserve(kept.len());
        for (number, placed) in kept.iter().enumerate() {
            let bound = kept.get(number + 1).and_then(|next| self.before.get(next.first));
            let was = &self.before[placed.first..placed.first + placed.chunk.len()];
            let end = self.end(was.len(), bound);
            let is = &self.servers[self.at..end];
            let is_same = is.len() == was.len() && is.iter().zip(was).all(|(is, was)| Arc::ptr_eq(is, was));
            let stands_alone = placed.chunk.len() == 1 && MANY_VERSIONS < placed.chunk.versions();
            if is_same && stands_alone && self.builder.columns() > 0 {
                self.finish();
            }
            if is_same && self.builder.columns() == 0 {
                self.chunks.push(Placed { first: self.at, chunk: Arc::clone(&placed.chunk) });
                (self.at, self.built) = (end, end);
                continue;
            }
            self.push_changed(placed, was, end);
            if self.builder.columns() >= MIN_COLUMNS {
                self.finish();
            }
        }
        self.limit = COLUMNS;
        while self.at < self.servers.len() {
            self.push(None);
        }
        if self.builder.columns() > 0 {
            self.finish();
        }
        self.chunks
    }

    /// Where the servers before the first one of the next chunk end, given how many they were.
    fn end(&self, len: usize, bound: Option<&Arc<Server>>) -> usize {
        let Some(bound) = bound else { return self.servers.len() };
        let guess = self.at + len;
        if self.servers.get(guess).is_some_and(|server| Arc::ptr_eq(server, bound)) {
            return guess;
        }
        self.at + self.servers[self.at..].partition_point(|server| server.name < bound.name)
    }

    /// Adds the servers up to `end`, which take the place of those of a chunk.
    fn push_changed(&mut self, placed: &Placed, was: &[Arc<Server>], end: usize) {
        let columns = (placed.chunk.columns() + end - self.at).saturating_sub(was.len());
        self.limit = if columns > MAX_COLUMNS { COLUMNS } else { 2 * MAX_COLUMNS };
        let unpacked = Unpacked::new(&placed.chunk);
        let mut is_expected = false;
        let mut was = was.iter().enumerate().peekable();
        while self.at < end {
            if let Some(unpacked) = unpacked.as_ref().filter(|_| !is_expected || self.builder.columns() == 0) {
                self.builder.expect(unpacked);
                is_expected = true;
            }
            let is = &self.servers[self.at];
            // Most are the same: their names need not be read.
            while was.next_if(|(_, was)| !Arc::ptr_eq(was, is) && was.name < is.name).is_some() {}
            let before = was.next_if(|(_, was)| Arc::ptr_eq(was, is) || was.name == is.name);
            self.push(before.zip(unpacked.as_ref()).map(|((at, server), chunk)| Before { server, chunk, at }));
        }
    }

    /// Adds the next server, given what it was before.
    fn push(&mut self, before: Option<Before<'_>>) {
        let server = &self.servers[self.at];
        let stands_alone = MANY_VERSIONS < server.versions.len();
        if stands_alone && self.builder.columns() > 0 {
            self.finish();
            if let Some(before) = &before {
                self.builder.expect(before.chunk);
            }
        }
        self.builder.push(server, before);
        self.at += 1;
        if stands_alone || self.builder.columns() >= self.limit {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.chunks.push(Placed { first: self.built, chunk: self.builder.finish() });
        self.built = self.at;
    }
}

#[cfg(test)]
#[path = "index/tests.rs"]
mod tests;
