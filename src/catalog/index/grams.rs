//! Grams: the short runs of bytes that a text consists of, and which of them are common.
//!
//! A gram that a text has sets bits of the text's [`Signature`]: a rare gram four, so that a text that lacks it
//! is seldom taken for one that has it; a common gram one, because what is common is soon found anyway, and bits
//! are scarce. Common grams of fewer than three bytes set none: nearly every text has them. Where two words meet,
//! what ends and begins there is a gram, too: common words in a rare order are told by nothing else.

use std::sync::Arc;

use super::super::Server;
use super::super::search::push_lowercase;

/// The bits of a signature. A name, a title and a description have about 110 grams of three bytes.
pub(super) const BITS: usize = 512;
/// How many bits a rare gram sets.
const RARE_BITS: usize = 4;
/// How many bits a gram between words sets: a term has several of them, or many others.
const BETWEEN_BITS: usize = 2;
/// A gram is common that more than one of so many texts has.
const COMMON_ONE_IN: usize = 32;
/// How many servers tell what is common, at most.
const MAX_SAMPLE: usize = 4_096;
/// The most rows that a needle is looked up by: as many leave nothing to chance.
const MAX_ROWS: usize = 16;
/// The most grams of a needle that a chunk is asked for before its rows are.
const MAX_ASKED: usize = 8;

/// Grams of three bytes have so many slots, by their hash; the shorter ones one each.
const TRIGRAM_SLOTS: usize = 1 << 17;
const PAIR_SLOTS: usize = 1 << 16;
const SLOTS: usize = TRIGRAM_SLOTS + PAIR_SLOTS + 256;

/// One, two or three bytes that follow one another in a text, or five where the third one separates words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Gram(u64);

impl Gram {
    #[inline]
    fn new(bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(bytes.len() as u64, |gram, byte| gram << 8 | u64::from(*byte)))
    }

    /// How many bytes it has.
    #[inline]
    fn len(self) -> u32 {
        // The length stands above the bytes, and is not zero.
        self.0.ilog2() / 8
    }

    /// Spreads the gram over 64 bits; the multipliers are those of `SplitMix64`.
    #[inline]
    fn hash(self) -> u64 {
        let hash = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash ^ (hash >> 32)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    /// Its slot; none where it is never common.
    #[inline]
    fn slot(self, hash: u64) -> Option<usize> {
        match self.len() {
            1 => Some(TRIGRAM_SLOTS + PAIR_SLOTS + below(1 << 8, self.0)),
            2 => Some(TRIGRAM_SLOTS + below(PAIR_SLOTS, self.0)),
            3 => Some(below(TRIGRAM_SLOTS, hash >> 8)),
            _ => None,
        }
    }
}

/// The low bits of a hash: as a number below a power of two.
#[inline]
fn below(bound: usize, hash: u64) -> usize {
    usize::try_from(hash % bound as u64).expect("what is below a usize is one")
}

/// The bits of a gram with this hash, the first one first.
#[inline]
fn bit(hash: u64, number: usize) -> usize {
    below(BITS, hash >> (64 - 9 * (number + 1)))
}

/// Calls `visit` with every gram of a field.
#[inline]
fn for_each_gram(field: &[u8], mut visit: impl FnMut(Gram)) {
    for at in 0..field.len() {
        let rest = &field[at..];
        visit(Gram::new(&rest[..1]));
        if let [first, second, ..] = *rest {
            visit(Gram::new(&[first, second]));
        }
        if let [first, second, third, ..] = *rest {
            visit(Gram::new(&[first, second, third]));
        }
        if let [_, _, between, _, _, ..] = rest
            && between.is_ascii()
            && !between.is_ascii_alphanumeric()
        {
            visit(Gram::new(&rest[..5]));
        }
    }
}

/// Which grams are common. Any answer is right as long as it is the same for texts and needles; a good one makes
/// searches fast.
#[derive(Debug)]
pub(super) struct Commonness(Vec<u64>);

impl Commonness {
    /// What is common in these servers, judged by a sample.
    pub(super) fn of(servers: &[Arc<Server>]) -> Self {
        let step = servers.len().div_ceil(MAX_SAMPLE).max(1);
        let few = servers.len().div_ceil(step) / COMMON_ONE_IN;
        // Nothing can be told of so few; and a catalog of one name is made for each answer of a look-up.
        if few == 0 {
            return Self(Vec::new());
        }
        let mut common = vec![0_u64; SLOTS.div_ceil(64)];
        // By slot, how many texts have such a gram, and the last one of them.
        let mut counts = vec![(0_u16, 0_u16); SLOTS];
        let mut name = String::new();
        for (server, number) in servers.iter().step_by(step).zip(1..) {
            let mut count = |gram: Gram| {
                let Some(slot) = gram.slot(gram.hash()) else { return };
                let (count, last) = &mut counts[slot];
                if *last != number {
                    (*count, *last) = (*count + 1, number);
                    common[slot / 64] |= u64::from(usize::from(*count) > few) << (slot % 64);
                }
            };
            name.clear();
            push_lowercase(&mut name, server.name.as_str());
            let text = server.versions.first().map_or_else(Default::default, |version| version.entry.search_text());
            name.split('\0').chain(text.split('\0')).for_each(|field| for_each_gram(field.as_bytes(), &mut count));
        }
        Self(common)
    }

    /// How many bits a gram sets.
    #[inline]
    fn bits(&self, gram: Gram, hash: u64) -> usize {
        let Some(slot) = gram.slot(hash) else { return BETWEEN_BITS };
        match self.0.get(slot / 64).map_or(0, |word| word >> (slot % 64) & 1) {
            0 => RARE_BITS,
            _ => usize::from(gram.len() == 3),
        }
    }
}

/// Which grams a chunk has at all, by a part of their hash; those between words aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Presence(Box<[u64]>);

impl Presence {
    /// How many bits it has: several times as many as a chunk has different grams.
    const BITS: usize = 1 << 14;

    pub(super) fn new() -> Self {
        Self(vec![0; Self::BITS / 64].into())
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        let bit = below(Self::BITS, hash >> 8);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// Adds what another one has.
    pub(super) fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(ours, theirs)| *ours |= theirs);
    }

    /// Whether the chunk may have all of the needle's grams.
    pub(super) fn has_all(&self, needle: &Wanted) -> bool {
        needle.asked.iter().all(|bit| self.0[bit / 64] >> (bit % 64) & 1 == 1)
    }
}

/// The bits that the grams of a text set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Signature(pub(super) [u64; BITS / 64]);

impl Signature {
    /// Adds the grams of a text whose fields NUL separates, and notes that they are there.
    pub(super) fn add(&mut self, text: &str, commonness: &Commonness, presence: &mut Presence) {
        for field in text.split('\0') {
            for_each_gram(field.as_bytes(), |gram| {
                let hash = gram.hash();
                for number in 0..commonness.bits(gram, hash) {
                    let bit = bit(hash, number);
                    self.0[bit / 64] |= 1 << (bit % 64);
                }
                if gram.len() < 4 {
                    presence.add(hash);
                }
            });
        }
    }

    /// The bits of both.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours |= theirs);
        self
    }

    /// How many bits are set.
    pub(super) fn count(self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// What every text has that contains a needle.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The bits of its signature, those that tell most first. None where the needle is too short and too common to
    /// tell anything.
    pub(super) rows: Vec<usize>,
    /// The bits of its chunk's [`Presence`].
    asked: Vec<usize>,
}

impl Wanted {
    pub(super) fn new(needle: &[u8], commonness: &Commonness) -> Self {
        // A gram of more than one byte says all that the shorter ones in it say.
        let is_longest = |gram: Gram| gram.len() >= 3 || gram.len() as usize == needle.len();
        let mut grams = Vec::new();
        for_each_gram(needle, |gram| grams.extend(is_longest(gram).then_some(gram)));
        grams.sort_unstable();
        grams.dedup();
        let mut grams: Vec<(u64, usize, u32)> =
            grams.into_iter().map(|gram| (gram.hash(), commonness.bits(gram, gram.hash()), gram.len())).collect();
        grams.sort_by_key(|(_, bits, _)| std::cmp::Reverse(*bits));
        let telling = grams.iter().filter(|(_, bits, _)| *bits > 1);
        let of_telling = (0..RARE_BITS).flat_map(|number| {
            telling.clone().filter(move |(_, bits, _)| number < *bits).map(move |(hash, _, _)| bit(*hash, number))
        });
        let of_common = grams.iter().filter(|(_, bits, _)| *bits == 1).map(|(hash, _, _)| bit(*hash, 0));
        let mut rows = Vec::with_capacity(MAX_ROWS);
        for row in of_telling.chain(of_common) {
            if rows.len() < MAX_ROWS && !rows.contains(&row) {
                rows.push(row);
            }
        }
        let asked = grams.iter().filter(|(_, _, length)| *length < 4).take(MAX_ASKED);
        Self { rows, asked: asked.map(|(hash, _, _)| below(Presence::BITS, hash >> 8)).collect() }
    }
}
