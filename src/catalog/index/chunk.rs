//! A chunk: what is indexed of a few hundred texts of servers that follow one another. Immutable, and shared by
//! successive catalogs for as long as all of its servers stay.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::search::push_lowercase;
use super::super::{Participant, Server};
use super::Question;
use super::grams::{Commonness, Presence, Signature, Wanted};
use super::lines::{Lines, hash, lines_of};
use super::matrix::Matrix;

/// How full a signature gets by the texts of more than one version: a third of its bits. More would make it
/// match what it should not, less would waste room.
const FULL: u32 = 176;
/// How many times a chunk's columns are used again before they are made anew: its presence keeps what has gone.
const MAX_AGE: u32 = 64;

/// What is indexed of servers that follow one another.
#[derive(Debug)]
pub(super) struct Chunk {
    /// How many times columns of the chunk before were used again since all of them were made.
    age: u32,
    /// By server, its newest effect; and the newest of all.
    effects: Box<[Timestamp]>,
    newest_effect: Timestamp,
    lines: Lines,
    /// Which servers have which versions: hash and server, sorted.
    versions: Box<[u32]>,
    texts: Texts,
}

/// What the servers' texts consist of. Versions of one server that follow one another share a column.
#[derive(Debug)]
struct Texts {
    presence: Presence,
    matrix: Matrix,
    /// By server, its first column, which has its name, too.
    first_columns: Box<[u32]>,
    /// By column, its first version in its server.
    first_versions: Box<[u32]>,
}

impl Chunk {
    /// How many columns it has.
    pub(super) fn columns(&self) -> usize {
        self.texts.first_versions.len()
    }

    /// How many servers it is of.
    pub(super) fn len(&self) -> usize {
        self.effects.len()
    }

    /// The first server at or after `from` that may have what is asked for.
    pub(super) fn next(&self, question: &Question, from: usize) -> Option<usize> {
        let mut server = from;
        loop {
            let mut next = self.next_changed(question, server)?;
            next = if question.lines.is_empty() { next } else { self.lines.next(&question.lines, next)? };
            next = self.next_with_version(question, next)?;
            next = question.needle.as_ref().map_or(Some(next), |needle| self.texts.next(needle, next))?;
            // All have to agree on one.
            if next == server {
                return (server < self.len()).then_some(server);
            }
            server = next;
        }
    }

    fn next_changed(&self, question: &Question, from: usize) -> Option<usize> {
        let Some(since) = question.since else { return Some(from) };
        if self.newest_effect <= since {
            return None;
        }
        self.effects.iter().skip(from).position(|effect| since < *effect).map(|after| from + after)
    }

    fn next_with_version(&self, question: &Question, from: usize) -> Option<usize> {
        let Some(version) = question.version else { return Some(from) };
        let wanted = posting(version, from);
        let found = *self.versions.get(self.versions.partition_point(|posting| *posting < wanted))?;
        (found >> 16 == wanted >> 16).then_some((found & 0xffff) as usize)
    }

    /// Whether the text of a server's version, or for the first one its name, may contain the needle.
    pub(super) fn may_contain(&self, needle: &Wanted, server: usize, version: usize) -> bool {
        self.texts.matrix.has(&needle.rows, self.texts.column(server, version))
    }

    /// Whether a server's name may contain the needle.
    pub(super) fn may_be_named(&self, needle: &Wanted, server: usize) -> bool {
        self.texts.matrix.has(&needle.rows, self.texts.first_columns[server] as usize)
    }
}

/// A version's hash and a server.
fn posting(version: u16, server: usize) -> u32 {
    let server = u16::try_from(server).expect("a chunk ends at so many columns, and each server has one");
    u32::from(version) << 16 | u32::from(server)
}

/// What stands for a version.
pub(super) fn hash_of_version(version: &str) -> u16 {
    (hash(version) >> 48) as u16
}

impl Texts {
    fn next(&self, needle: &Wanted, server: usize) -> Option<usize> {
        if !self.presence.has_all(needle) {
            return None;
        }
        let from = *self.first_columns.get(server)?;
        let found = self.matrix.next(&needle.rows, from as usize)?;
        Some(self.first_columns.partition_point(|first| *first as usize <= found) - 1)
    }

    fn columns(&self, server: usize) -> std::ops::Range<usize> {
        let end = self.first_columns.get(server + 1).map_or(self.first_versions.len(), |end| *end as usize);
        self.first_columns[server] as usize..end
    }

    fn column(&self, server: usize, version: usize) -> usize {
        let columns = self.columns(server);
        let first_versions = &self.first_versions[columns.clone()];
        columns.start + first_versions.partition_point(|first| *first as usize <= version) - 1
    }
}

/// Collects servers, in order, and makes chunks of them.
pub(super) struct Builder<'a> {
    registries: &'a [Participant],
    commonness: &'a Commonness,
    age: u32,
    servers: Vec<&'a Server>,
    /// Lines, and the servers that have them; in the order of the servers.
    lines: Vec<(u32, usize)>,
    /// By server, where its columns end.
    ends: Vec<usize>,
    presence: Presence,
    signatures: Vec<Signature>,
    first_versions: Vec<u32>,
    /// The lower-cased name of a server.
    name: String,
}

impl<'a> Builder<'a> {
    pub(super) fn new(registries: &'a [Participant], commonness: &'a Commonness) -> Self {
        Self {
            registries,
            commonness,
            age: 0,
            servers: Vec::new(),
            lines: Vec::new(),
            ends: Vec::new(),
            presence: Presence::new(),
            signatures: Vec::new(),
            first_versions: Vec::new(),
            name: String::new(),
        }
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.signatures.len()
    }

    /// Adds a server.
    pub(super) fn push(&mut self, server: &'a Server) {
        let at = self.servers.len();
        self.lines.extend(lines_of(server, self.registries).into_iter().map(|line| (line, at)));
        let mut signature = Signature::default();
        self.name.clear();
        push_lowercase(&mut self.name, server.name.as_str());
        signature.add(&self.name, self.commonness, &mut self.presence);
        let mut first_version = 0;
        let mut last = None;
        for (version, number) in server.versions.iter().zip(0..) {
            let text = version.entry.search_text();
            // Most versions repeat their predecessor's text.
            if last.as_ref() == Some(&text) {
                continue;
            }
            let mut more = Signature::default();
            more.add(&text, self.commonness, &mut self.presence);
            if last.is_none() || signature.or(more).count() <= FULL {
                signature = signature.or(more);
            } else {
                self.push_column(signature, first_version);
                (signature, first_version) = (more, number);
            }
            last = Some(text);
        }
        self.push_column(signature, first_version);
        self.push_end(server);
    }

    /// Adds a server that a chunk has.
    pub(super) fn push_known(&mut self, server: &'a Server, known: &Unpacked<'_>, at: usize) {
        let now_at = self.servers.len();
        self.lines.extend(known.lines[at].iter().map(|line| (*line, now_at)));
        for column in known.chunk.texts.columns(at) {
            self.push_column(known.signatures[column], known.chunk.texts.first_versions[column]);
        }
        self.push_end(server);
    }

    /// Notes what a chunk has of which the next servers may be.
    pub(super) fn expect(&mut self, known: &Unpacked<'_>) {
        self.age = self.age.max(known.chunk.age + 1);
        self.presence.add_all(&known.chunk.texts.presence);
    }

    fn push_column(&mut self, signature: Signature, first_version: u32) {
        self.signatures.push(signature);
        self.first_versions.push(first_version);
    }

    fn push_end(&mut self, server: &'a Server) {
        self.servers.push(server);
        self.ends.push(self.columns());
    }

    /// Makes a chunk of what was added.
    pub(super) fn finish(&mut self) -> Arc<Chunk> {
        let Self { age, servers, lines, ends, presence, signatures, first_versions, .. } =
            std::mem::replace(self, Self::new(self.registries, self.commonness));
        let texts = Texts {
            presence,
            matrix: Matrix::new(&signatures),
            first_columns: std::iter::once(0).chain(ends).take(servers.len()).map(narrow).collect(),
            first_versions: first_versions.into(),
        };
        let effects: Box<[Timestamp]> = servers.iter().map(|server| server.newest_effect).collect();
        Arc::new(Chunk {
            age,
            newest_effect: effects.iter().copied().max().unwrap_or(Timestamp::MIN),
            effects,
            lines: Lines::new(servers.len(), lines),
            versions: postings(&servers),
            texts,
        })
    }
}

fn narrow(column: usize) -> u32 {
    u32::try_from(column).expect("a column is of one version at least, and no registry lists 2³²")
}

fn postings(servers: &[&Server]) -> Box<[u32]> {
    let versions = servers.iter().enumerate().flat_map(|(at, server)| server.versions.iter().map(move |it| (at, it)));
    let mut postings: Vec<u32> =
        versions.map(|(at, version)| posting(hash_of_version(version.entry.version()), at)).collect();
    postings.sort_unstable();
    postings.into()
}

/// A chunk whose signatures are to be used again.
pub(super) struct Unpacked<'a> {
    chunk: &'a Chunk,
    signatures: Vec<Signature>,
    /// By server.
    lines: Vec<Vec<u32>>,
}

impl<'a> Unpacked<'a> {
    /// None where the chunk has been used again often enough.
    pub(super) fn new(chunk: &'a Chunk) -> Option<Self> {
        (chunk.age < MAX_AGE).then(|| Self {
            chunk,
            signatures: chunk.texts.matrix.signatures(),
            lines: chunk.lines.by_server(),
        })
    }
}

#[cfg(test)]
impl Chunk {
    /// Whether it is as if it had been made anew, but for grams that have gone since it was.
    pub(super) fn is_like(&self, anew: &Self) -> bool {
        let (ours, theirs) = (&self.texts, &anew.texts);
        let mut presence = ours.presence.clone();
        presence.add_all(&theirs.presence);
        (&self.effects, self.newest_effect, &self.lines, &self.versions)
            == (&anew.effects, anew.newest_effect, &anew.lines, &anew.versions)
            && (&ours.matrix, &ours.first_columns, &ours.first_versions)
                == (&theirs.matrix, &theirs.first_columns, &theirs.first_versions)
            && presence == ours.presence
    }
}

#[cfg(test)]
impl Builder<'_> {
    /// How many columns there were before the last server was added.
    pub(super) fn columns_before_last(&self) -> usize {
        self.ends.iter().rev().nth(1).copied().unwrap_or_default()
    }
}
