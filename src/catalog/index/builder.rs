//! Makes chunks: of servers that are new, of servers that a chunk has, and of those that a chunk has in an earlier
//! form. Where they begin and end, the index decides.

use std::sync::Arc;

use jiff::Timestamp;

use super::super::search::push_lowercase;
use super::super::{Participant, Server, Version};
use super::chunk::{Chunk, Texts, hash_of_version, posting};
use super::grams::{Commonness, Presence, Signature};
use super::lines::{Lines, lines_of};
use super::matrix::Matrix;
use super::unpacked::{Column, Unpacked};

/// How full a signature gets by the texts of more than one version: a third of its bits. More would make it
/// match what it should not, less would waste room.
const FULL: u32 = 240;

/// A server of the catalog before, in its chunk.
#[derive(Clone, Copy)]
pub(super) struct Before<'a> {
    pub(super) server: &'a Arc<Server>,
    pub(super) chunk: &'a Unpacked<'a>,
    /// Its position in the chunk.
    pub(super) at: usize,
}

/// Collects servers, in order, and makes chunks of them.
pub(super) struct Builder<'a> {
    registries: &'a [Participant],
    commonness: &'a Commonness,
    age: u32,
    /// By server.
    effects: Vec<Timestamp>,
    /// Lines, and the servers that have them.
    lines: Vec<(u32, usize)>,
    /// As in a chunk, and not yet sorted.
    versions: Vec<u32>,
    /// By server, where its columns end.
    ends: Vec<usize>,
    presence: Presence,
    signatures: Vec<Signature>,
    first_versions: Vec<u32>,
    /// The lower-cased text at hand.
    text: String,
}

impl<'a> Builder<'a> {
    pub(super) fn new(registries: &'a [Participant], commonness: &'a Commonness) -> Self {
        Self {
            registries,
            commonness,
            age: 0,
            effects: Vec::new(),
            lines: Vec::new(),
            versions: Vec::new(),
            ends: Vec::new(),
            presence: Presence::new(),
            signatures: Vec::new(),
            first_versions: Vec::new(),
            text: String::new(),
        }
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        self.signatures.len()
    }

    /// Adds a server, given what it was in the catalog before.
    pub(super) fn push(&mut self, server: &Arc<Server>, before: Option<Before<'_>>) {
        match before {
            Some(Before { server: same, chunk, at }) if Arc::ptr_eq(server, same) => self.push_known(chunk, at),
            before => self.push_new(server, before),
        }
    }

    /// Notes what a chunk has of which the next servers may be.
    pub(super) fn expect(&mut self, known: &Unpacked<'_>) {
        self.age = self.age.max(known.chunk.age + 1);
        self.presence.add_all(&known.chunk.texts.presence);
    }

    /// Adds a server that a chunk has: nothing of the server itself is read.
    fn push_known(&mut self, known: &Unpacked<'_>, at: usize) {
        let now_at = self.effects.len();
        self.effects.push(known.chunk.effects[at]);
        self.lines.extend(known.lines.of(at).iter().map(|line| (*line, now_at)));
        self.versions.extend(known.versions.of(at).iter().map(|version| posting(*version, now_at)));
        for column in known.columns(at) {
            self.push_column(column);
        }
        self.ends.push(self.columns());
    }

    fn push_new(&mut self, server: &Server, before: Option<Before<'_>>) {
        let at = self.effects.len();
        self.effects.push(server.newest_effect);
        self.lines.extend(lines_of(server, self.registries).into_iter().map(|line| (line, at)));
        let versions = server.versions.iter().map(|version| hash_of_version(version.entry.version()));
        self.versions.extend(versions.map(|version| posting(version, at)));
        let stay =
            before.map_or_else(Vec::new, |Before { server: was, chunk, at }| chunk.columns_that_stay(at, was, server));
        self.push_columns(server, stay);
        self.ends.push(self.columns());
    }

    /// Adds the columns of a server of which some are known.
    fn push_columns(&mut self, server: &Server, known: Vec<(usize, Column)>) {
        let mut known = known.into_iter().peekable();
        self.text.clear();
        push_lowercase(&mut self.text, server.name.as_str());
        // The first column has the name, too.
        let mut open = Column { signature: self.signature(), first_version: 0 };
        let (mut next, mut last) = (0, None);
        while let Some(version) = server.versions.get(next) {
            if let Some((count, column)) = known.next_if(|(_, column)| column.first_version as usize == next) {
                let signature = if next == 0 { column.signature.or(open.signature) } else { column.signature };
                if next > 0 {
                    self.push_column(open);
                }
                open = Column { signature, ..column };
                next += count;
                last = server.versions.get(next - 1);
                continue;
            }
            // Most versions repeat their predecessor's texts.
            let is_news = last.is_none_or(|last: &Version| !version.entry.has_texts_of(&last.entry));
            if is_news {
                self.text.clear();
                version.entry.push_search_text(&mut self.text);
                let more = self.signature();
                let both = open.signature.or(more);
                if next == 0 || both.count() <= FULL {
                    open.signature = both;
                } else {
                    self.push_column(open);
                    open = Column { signature: more, first_version: narrow(next) };
                }
            }
            last = Some(version);
            next += 1;
        }
        self.push_column(open);
    }

    /// The signature of the text at hand.
    fn signature(&mut self) -> Signature {
        let mut signature = Signature::default();
        signature.add(&self.text, self.commonness, &mut self.presence);
        signature
    }

    fn push_column(&mut self, column: Column) {
        self.signatures.push(column.signature);
        self.first_versions.push(column.first_version);
    }

    /// Makes a chunk of what was added.
    pub(super) fn finish(&mut self) -> Arc<Chunk> {
        let Self { age, effects, lines, mut versions, ends, presence, signatures, first_versions, .. } =
            std::mem::replace(self, Self::new(self.registries, self.commonness));
        let texts = Texts {
            presence,
            matrix: Matrix::new(&signatures),
            first_columns: std::iter::once(0).chain(ends).take(effects.len()).map(narrow).collect(),
            first_versions: first_versions.into(),
        };
        versions.sort_unstable();
        Arc::new(Chunk {
            age,
            newest_effect: effects.iter().copied().max().unwrap_or(Timestamp::MIN),
            lines: Lines::new(effects.len(), &lines),
            effects: effects.into(),
            versions: versions.into(),
            texts,
        })
    }
}

fn narrow(column: usize) -> u32 {
    u32::try_from(column).expect("a column is of one version at least, and no registry lists 2³²")
}
