//! The facets of a chunk's servers: for each line that one of them has, a bit for each server.

use super::super::facets::{Facet, Facets};
use super::super::{Participant, Server};

/// Which servers have which facets. Lines are known by their hash: what it promises, the walk looks at again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lines {
    /// Sorted.
    hashes: Box<[u32]>,
    /// By line, a bit for each server.
    words: Box<[u64]>,
    servers: usize,
}

impl Lines {
    /// Of so many servers; `known` are lines and the servers that have them.
    pub(super) fn new(servers: usize, known: &[(u32, usize)]) -> Self {
        let mut hashes: Vec<u32> = known.iter().map(|(line, _)| *line).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let width = servers.div_ceil(64);
        let mut words = vec![0; hashes.len() * width];
        for (line, at) in known {
            let row = hashes.binary_search(line).expect("each of them is there");
            words[row * width + at / 64] |= 1 << (at % 64);
        }
        Self { hashes: hashes.into(), words: words.into(), servers }
    }

    /// Calls `visit` with every server and each of its lines.
    pub(super) fn for_each(&self, visit: &mut dyn FnMut(usize, u32)) {
        let width = self.servers.div_ceil(64);
        for (row, line) in self.hashes.iter().enumerate() {
            for (word, mut bits) in self.words[row * width..][..width].iter().copied().enumerate() {
                while bits != 0 {
                    visit(64 * word + bits.trailing_zeros() as usize, *line);
                    bits &= bits - 1;
                }
            }
        }
    }

    /// The first server at or after `from` that may have all of these lines.
    pub(super) fn next(&self, wanted: &[u32], from: usize) -> Option<usize> {
        let width = self.servers.div_ceil(64);
        let mut unseen = u64::MAX << (from % 64);
        for word in from / 64..width {
            let mut found = unseen;
            for line in wanted {
                found &= self.words[self.hashes.binary_search(line).ok()? * width + word];
            }
            if found != 0 {
                return Some(64 * word + found.trailing_zeros() as usize);
            }
            unseen = u64::MAX;
        }
        None
    }
}

/// How many lines of one server are collected before those are left out that came twice.
const MANY_LINES: usize = 4 << 10;

/// The lines that one of the server's versions has, or a registry that lists it, each once.
pub(super) fn lines_of(server: &Server, registries: &[Participant]) -> Vec<u32> {
    let (mut lines, mut most) = (Vec::new(), MANY_LINES);
    for_each_line(server, registries, |line| {
        if lines.len() == most {
            lines.sort_unstable();
            lines.dedup();
            most = MANY_LINES.max(2 * lines.len());
        }
        lines.push(line);
    });
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Calls `visit` with every line that one of the server's versions has, or a registry that lists it.
fn for_each_line(server: &Server, registries: &[Participant], mut visit: impl FnMut(u32)) {
    for contribution in server.contributions.iter().filter(|contribution| contribution.counts()) {
        visit(hash_of_line(&Facet::Registry(&registries[contribution.registry].rules.name).to_string()));
    }
    let mut last: Option<(&Facets, _)> = None;
    for version in &server.versions {
        let (facets, status) = (version.entry.facets(), version.entry.status());
        // Most versions repeat their predecessor's.
        if last.is_none_or(|(last, _)| last != facets) {
            facets.as_text().lines().map(hash_of_line).for_each(&mut visit);
        }
        if last.is_none_or(|(_, last)| last != status) {
            visit(hash_of_line(&Facet::Status(status).to_string()));
        }
        last = Some((facets, status));
    }
}

/// What stands for a facet as it is displayed.
pub(super) fn hash_of_line(line: &str) -> u32 {
    (hash(line) >> 32) as u32
}

/// The same in every process: what is derived from a catalog depends on nothing else. Whoever makes two texts with one
/// hash makes searches look at his own servers in vain.
pub(super) fn hash(text: &str) -> u64 {
    let mut hash = text.len() as u64;
    for eight in text.as_bytes().chunks(8) {
        let word = eight.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash = (hash ^ hash >> 32).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    hash ^ hash >> 29
}
