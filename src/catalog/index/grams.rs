//! Grams: the short runs of bytes that a text consists of, and how common they are.
//!
//! A gram that a text has sets bits of the text's [`Signature`]: the rarer it is, the more bits, so that a text that
//! lacks it is seldom taken for one that has it; a common gram sets one, because what is common is soon found anyway,
//! and bits are scarce. Common grams of fewer than three bytes set none: nearly every text has them. Where two words
//! meet, what ends and begins there is a gram, too: common words in a rare order are told by nothing else.

use std::sync::Arc;

use super::super::Server;
use super::super::search::push_lowercase;

/// The bits of a signature. A name, a title and a description have about 110 grams of three bytes.
pub(super) const BITS: usize = 768;
/// How many bits a rare gram sets.
const RARE_BITS: u8 = 4;
/// How many bits a gram between words sets. There are as many of them as words; they are all that tells three common
/// words in a rare order.
const BETWEEN_BITS: u8 = 3;
/// Trigrams that more than one of so many texts has, and how many bits they set.
const COMMON: [(usize, u8); 3] = [(8, 1), (32, 2), (128, 3)];
/// A shorter gram is common that more than one of so many texts has.
const COMMON_ONE_IN: usize = 32;
/// How many servers tell what is common, at most.
const MAX_SAMPLE: usize = 4_096;
/// The most rows that a needle is looked up by: as many leave nothing to chance.
const MAX_ROWS: usize = 16;
/// The most grams of a needle that a chunk is asked for before its rows are.
const MAX_ASKED: usize = 8;

/// How many trigrams can be counted, and how many can be common, each in a slot by its hash. Of those that would share
/// a slot one has it, and the others count as rare: that costs bits and no answer.
const COUNTED_SLOTS: usize = 1 << 17;
const COMMON_SLOTS: usize = 1 << 13;
/// Shorter grams have slots of their own: two bytes, and behind them one byte.
const PAIR_SLOTS: usize = 1 << 16;
const SHORT_SLOTS: usize = PAIR_SLOTS + 256;

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

    /// The slot of one that is shorter than a trigram.
    #[inline]
    fn short_slot(self) -> usize {
        match self.len() {
            1 => PAIR_SLOTS + below(1 << 8, self.0),
            _ => below(PAIR_SLOTS, self.0),
        }
    }

    /// The bytes of a trigram.
    #[inline]
    fn bytes(self) -> u32 {
        (self.0 & 0xff_ffff) as u32
    }
}

/// The low bits of a hash: as a number below a power of two.
#[inline]
fn below(bound: usize, hash: u64) -> usize {
    usize::try_from(hash % bound as u64).expect("what is below a usize is one")
}

/// The bits of a gram with this hash, the first one first: there are four.
#[inline]
fn bit(hash: u64, number: u8) -> usize {
    let part = hash >> (48 - 16 * u32::from(number));
    (below(1 << 16, part) * BITS) >> 16
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
#[derive(Debug, Default)]
pub(super) struct Commonness {
    /// Those of one or two bytes: a bit for each slot.
    short: Vec<u64>,
    /// By slot, a trigram's bytes and how many bits it sets.
    trigrams: Vec<(u32, u8)>,
}

impl Commonness {
    /// What is common in these servers, judged by a sample.
    pub(super) fn of(servers: &[Arc<Server>]) -> Self {
        let step = servers.len().div_ceil(MAX_SAMPLE).max(1);
        let texts = servers.len().div_ceil(step);
        // Nothing can be told of so few; and a catalog of one name is made for each answer of a look-up.
        if texts < COMMON_ONE_IN {
            return Self::default();
        }
        let mut counts =
            Counts { short: vec![Count::default(); SHORT_SLOTS], trigrams: vec![Count::default(); COUNTED_SLOTS] };
        let mut text = String::new();
        for (server, number) in servers.iter().step_by(step).zip(1..) {
            text.clear();
            push_lowercase(&mut text, server.name.as_str());
            text.push('\0');
            server.versions.first().into_iter().for_each(|version| version.entry.push_search_text(&mut text));
            text.split('\0').for_each(|field| for_each_gram(field.as_bytes(), |gram| counts.add(gram, number)));
        }
        counts.judge(texts)
    }

    /// How many bits a gram sets.
    #[inline]
    fn bits(&self, gram: Gram, hash: u64) -> u8 {
        match gram.len() {
            1 | 2 => {
                let slot = gram.short_slot();
                let is_common = self.short.get(slot / 64).is_some_and(|word| word >> (slot % 64) & 1 == 1);
                if is_common { 0 } else { RARE_BITS }
            }
            3 => match self.trigrams.get(below(COMMON_SLOTS, hash >> 8)) {
                Some((bytes, bits)) if *bytes == gram.bytes() => *bits,
                _ => RARE_BITS,
            },
            _ => BETWEEN_BITS,
        }
    }
}

/// How many texts have a gram.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// Of a trigram.
    bytes: u32,
    texts: u16,
    /// The last one that has it.
    last: u16,
}

/// How many texts of a sample have which grams.
struct Counts {
    short: Vec<Count>,
    trigrams: Vec<Count>,
}

impl Counts {
    fn add(&mut self, gram: Gram, text: u16) {
        let (count, bytes) = match gram.len() {
            1 | 2 => (&mut self.short[gram.short_slot()], 0),
            3 => (&mut self.trigrams[below(COUNTED_SLOTS, gram.hash() >> 8)], gram.bytes()),
            _ => return,
        };
        if count.texts == 0 {
            count.bytes = bytes;
        }
        if count.bytes == bytes && count.last != text {
            (count.texts, count.last) = (count.texts + 1, text);
        }
    }

    fn judge(self, texts: usize) -> Commonness {
        let is_common = |count: &Count, one_in: usize| texts < usize::from(count.texts) * one_in;
        let mut short = vec![0_u64; SHORT_SLOTS.div_ceil(64)];
        for (slot, _) in self.short.iter().enumerate().filter(|(_, count)| is_common(count, COMMON_ONE_IN)) {
            short[slot / 64] |= 1 << (slot % 64);
        }
        let mut trigrams = vec![(0, RARE_BITS); COMMON_SLOTS];
        // The most common ones have the first choice.
        for (least, (one_in, bits)) in COMMON.into_iter().enumerate() {
            let more = least.checked_sub(1).map(|more| COMMON[more].0);
            let is_of_these =
                |count: &&Count| is_common(count, one_in) && !more.is_some_and(|more| is_common(count, more));
            for count in self.trigrams.iter().filter(is_of_these) {
                let hash = Gram(3 << 24 | u64::from(count.bytes)).hash();
                let slot = &mut trigrams[below(COMMON_SLOTS, hash >> 8)];
                if slot.1 == RARE_BITS {
                    *slot = (count.bytes, bits);
                }
            }
        }
        Commonness { short, trigrams }
    }
}

/// Which grams a chunk has at all, as a Bloom filter; those between words aside. It spares whoever looks for what is
/// rare, or stands together in one part of the list, to look at all texts of the other chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Presence(Box<[u64]>);

impl Presence {
    /// How many bits it has: ten times as many as a chunk has different grams.
    const BITS: usize = 1 << 15;

    pub(super) fn new() -> Self {
        Self(vec![0; Self::BITS / 64].into())
    }

    /// The bits of a gram with this hash.
    #[inline]
    fn bits(hash: u64) -> [usize; 3] {
        // The third multiplier of `SplitMix64`.
        let hash = (hash ^ hash >> 29).wrapping_mul(0x94d0_49bb_1331_11eb);
        [below(Self::BITS, hash >> 49), below(Self::BITS, hash >> 34), below(Self::BITS, hash >> 19)]
    }

    #[inline]
    fn add(&mut self, hash: u64) {
        for bit in Self::bits(hash) {
            self.0[bit / 64] |= 1 << (bit % 64);
        }
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
        let mut grams: Vec<(u64, u8, u32)> =
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
        Self { rows, asked: asked.flat_map(|(hash, _, _)| Presence::bits(*hash)).collect() }
    }
}
