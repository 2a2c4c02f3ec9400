//! A chunk: what is indexed of a few hundred texts of servers that follow one another. Immutable, and shared by
//! successive catalogs for as long as all of its servers stay.

use std::ops::Range;

use jiff::Timestamp;

use super::Question;
use super::grams::{Presence, Wanted};
use super::lines::{Lines, hash};
use super::matrix::Matrix;

/// What is indexed of servers that follow one another.
#[derive(Debug)]
pub(super) struct Chunk {
    /// How many times columns of the chunk before were used again since all of them were made.
    pub(super) age: u32,
    /// By server, its newest effect; and the newest of all.
    pub(super) effects: Box<[Timestamp]>,
    pub(super) newest_effect: Timestamp,
    pub(super) lines: Lines,
    /// Which servers have which versions: hash and server, sorted.
    pub(super) versions: Box<[u32]>,
    pub(super) texts: Texts,
}

/// What the servers' texts consist of. Versions of one server that follow one another share a column.
#[derive(Debug)]
pub(super) struct Texts {
    pub(super) presence: Presence,
    pub(super) matrix: Matrix,
    /// By server, its first column, which has its name, too.
    pub(super) first_columns: Box<[u32]>,
    /// By column, its first version in its server.
    pub(super) first_versions: Box<[u32]>,
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

    /// How many versions its servers have.
    pub(super) fn versions(&self) -> usize {
        self.versions.len()
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
        let (found, server) = of_posting(found);
        (found == version).then_some(server)
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
pub(super) fn posting(version: u16, server: usize) -> u32 {
    let server = u16::try_from(server).expect("a chunk ends at so many columns, and each server has one");
    u32::from(version) << 16 | u32::from(server)
}

/// What [`posting`] was made of.
pub(super) fn of_posting(posting: u32) -> (u16, usize) {
    ((posting >> 16) as u16, (posting & 0xffff) as usize)
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

    /// The columns of a server.
    pub(super) fn columns(&self, server: usize) -> Range<usize> {
        let end = self.first_columns.get(server + 1).map_or(self.first_versions.len(), |end| *end as usize);
        self.first_columns[server] as usize..end
    }

    fn column(&self, server: usize, version: usize) -> usize {
        let columns = self.columns(server);
        let first_versions = &self.first_versions[columns.clone()];
        columns.start + first_versions.partition_point(|first| *first as usize <= version) - 1
    }
}
