//! What a chunk knows of each of its servers, for the chunk that comes after it.

use std::sync::Arc;

use super::super::Server;
use super::chunk::{Chunk, of_posting};
use super::grams::Signature;

/// How many times a chunk's columns are used again before they are made anew: its presence keeps what has gone, and
/// what came one by one may take more columns than it needs.
const MAX_AGE: u32 = 64;

/// A column of one server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) signature: Signature,
    /// Its first version in its server.
    pub(super) first_version: u32,
}

/// A chunk whose columns are to be used again.
pub(super) struct Unpacked<'a> {
    pub(super) chunk: &'a Chunk,
    signatures: Vec<Signature>,
    pub(super) lines: ByServer<u32>,
    pub(super) versions: ByServer<u16>,
}

impl<'a> Unpacked<'a> {
    /// None where the chunk has been used again often enough.
    pub(super) fn new(chunk: &'a Chunk) -> Option<Self> {
        let versions = |visit: &mut dyn FnMut(usize, u16)| {
            for (version, server) in chunk.versions.iter().copied().map(of_posting) {
                visit(server, version);
            }
        };
        (chunk.age < MAX_AGE).then(|| Self {
            chunk,
            signatures: chunk.texts.matrix.signatures(),
            lines: ByServer::new(chunk.len(), |visit| chunk.lines.for_each(visit)),
            versions: ByServer::new(chunk.len(), versions),
        })
    }

    /// The columns of a server.
    pub(super) fn columns(&self, server: usize) -> impl Iterator<Item = Column> {
        let first_versions = &self.chunk.texts.first_versions;
        let column = |at: usize| Column { signature: self.signatures[at], first_version: first_versions[at] };
        self.chunk.texts.columns(server).map(column)
    }

    /// The columns of which all versions are still there, one after the other: how many versions that are, and the
    /// column with the first one's position now.
    pub(super) fn columns_that_stay(&self, at: usize, was: &Server, is: &Server) -> Vec<(usize, Column)> {
        let ends = self.columns(at).skip(1).map(|column| column.first_version as usize).chain([was.versions.len()]);
        let (mut stay, mut next) = (Vec::new(), 0);
        for (column, end) in self.columns(at).zip(ends) {
            let was = &was.versions[column.first_version as usize..end];
            let same = |from: usize| {
                let is = is.versions.get(from..from + was.len());
                is.is_some_and(|is| is.iter().zip(was).all(|(is, was)| Arc::ptr_eq(&is.entry, &was.entry)))
            };
            // Most stand where the column before ends.
            if !same(next) {
                let first = was.first().map_or("", |first| first.entry.version());
                next += is.versions[next..].partition_point(|version| version.entry.version() < first);
                if !same(next) {
                    continue;
                }
            }
            // No server has more versions than a number has values.
            let first_version = u32::try_from(next).unwrap_or(u32::MAX);
            stay.push((was.len(), Column { first_version, ..column }));
            next += was.len();
        }
        stay
    }
}

/// What each server of a chunk has.
pub(super) struct ByServer<T> {
    /// Where each server's begin, and where the last one's end.
    starts: Vec<usize>,
    items: Vec<T>,
}

impl<T: Copy + Default> ByServer<T> {
    /// What `for_each` names, which it does twice in the same order: servers and what they have.
    fn new(servers: usize, for_each: impl Fn(&mut dyn FnMut(usize, T))) -> Self {
        let mut starts = vec![0; servers + 2];
        for_each(&mut |server, _| starts[server + 2] += 1);
        for server in 2..starts.len() {
            starts[server] += starts[server - 1];
        }
        let mut items = vec![T::default(); starts[servers + 1]];
        for_each(&mut |server, item| {
            items[starts[server + 1]] = item;
            starts[server + 1] += 1;
        });
        Self { starts, items }
    }

    /// What a server has.
    pub(super) fn of(&self, server: usize) -> &[T] {
        &self.items[self.starts[server]..self.starts[server + 1]]
    }
}
