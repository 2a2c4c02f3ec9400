//! Names that may be taken for one another: they differ in letter case alone, look the same (UTS #39), or are one
//! edit apart (two, from 16 characters). It says what is alike, never which of the two is right.
//!
//! No library has the distance with an end to the search at two edits; without one it takes the time of the product
//! of the lengths, and a registry chooses names.

use std::sync::LazyLock;

use unicode_security::confusable_detection::skeleton;

/// From how many characters on, both names, two edits still make a likeness.
const LONG: usize = 16;
/// The most edits of any likeness.
const MAX_EDITS: usize = 2;
/// In how many of its bits one edit can change the mask of a name: three pairs of characters go, three come.
const BITS_OF_AN_EDIT: u32 = 6;
/// The most names that one name is said to be like. An honest name has one or two.
pub const MAX_ALIKE: usize = 16;

/// How two different names are alike, the closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Likeness {
    /// They differ in letter case alone.
    Case,
    /// They look the same: `1` and `l`, `rn` and `m`, Cyrillic and Latin `a`.
    Confusable,
    /// So many characters inserted, deleted, replaced or exchanged with a neighbour (Damerau–Levenshtein), letter
    /// case ignored: one, or two where both names have 16 characters.
    Edits(usize),
}

/// How two names are alike; none where they are equal, or not alike.
#[must_use]
pub fn likeness(one: &str, other: &str) -> Option<Likeness> {
    (one != other).then(|| Folded::new(one).likeness(&Folded::new(other)))?
}

/// A name as likeness sees it.
struct Folded {
    /// In lower case.
    lower: Box<[char]>,
    /// Hashes of what it looks like: of the name as it is, and in lower case. `I` looks like `l`, and is an `i`.
    looks: [u64; 2],
    /// Which pairs of neighbours it has.
    mask: u128,
}

impl Folded {
    fn new(name: &str) -> Self {
        let text = name.to_lowercase();
        let lower: Box<[char]> = text.chars().collect();
        Self { looks: [look(name), look(&text)], mask: mask(&lower), lower }
    }

    fn likeness(&self, other: &Self) -> Option<Likeness> {
        if self.lower == other.lower {
            return Some(Likeness::Case);
        }
        if self.looks.iter().any(|look| other.looks.contains(look)) {
            return Some(Likeness::Confusable);
        }
        self.edits(other).map(Likeness::Edits)
    }

    fn edits(&self, other: &Self) -> Option<usize> {
        let most = if self.lower.len().min(other.lower.len()) < LONG { 1 } else { MAX_EDITS };
        let differ_in = (self.mask ^ other.mask).count_ones();
        (1..=most).find(|most| {
            let bits = u32::try_from(*most).unwrap_or(u32::MAX).saturating_mul(BITS_OF_AN_EDIT);
            differ_in <= bits && is_within(&self.lower, &other.lower, *most)
        })
    }
}

/// Many names, among which those that are like one are found without looking at each closely. It does not hold the
/// names themselves: each is known by its position among those that were given.
///
/// A search passes over those of about the same length, some nanoseconds each.
#[derive(Debug, Default)]
pub struct Names {
    /// The positions of the names, by their length in characters.
    positions: Vec<u32>,
    /// The masks of the names, side by side, in the same order.
    masks: Vec<u128>,
    /// Where the names of each length begin in that order.
    starts: Vec<usize>,
    /// What names look like, and their places in that order; sorted.
    looks: Vec<(u64, u32)>,
}

impl Names {
    /// Takes names in, 4,294,967,295 at most.
    #[must_use]
    pub fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut folded: Vec<(usize, u32, u128, [u64; 2])> = (0..u32::MAX)
            .zip(names)
            .map(|(position, name)| {
                let Folded { lower, looks, mask } = Folded::new(name);
                (lower.len(), position, mask, looks)
            })
            .collect();
        folded.sort_unstable_by_key(|(length, position, ..)| (*length, *position));
        let longest = folded.last().map_or(0, |(length, ..)| *length);
        let starts = (0..=longest).map(|length| folded.partition_point(|(shorter, ..)| *shorter < length)).collect();
        let mut looks: Vec<(u64, u32)> =
            (0..).zip(&folded).flat_map(|(place, (.., looks))| looks.map(|look| (look, place))).collect();
        looks.sort_unstable();
        looks.dedup();
        looks.shrink_to_fit();
        let (positions, masks) = folded.iter().map(|(_, position, mask, _)| (*position, *mask)).unzip();
        Self { positions, masks, starts, looks }
    }

    /// The names that this one is like, by their positions, the closest first, [`MAX_ALIKE`] at most. `text` gives the
    /// name at a position. The name itself is none of them.
    #[must_use]
    pub fn like<'a>(&self, name: &str, text: impl Fn(usize) -> &'a str) -> Vec<(usize, Likeness)> {
        let folded = Folded::new(name);
        let mut places: Vec<usize> = folded.looks.iter().flat_map(|look| self.looking_like(*look)).collect();
        let bits = BITS_OF_AN_EDIT * if folded.lower.len() < LONG { 1 } else { 2 };
        let length = folded.lower.len();
        let near = self.start(length.saturating_sub(MAX_EDITS))..self.start(length + MAX_EDITS + 1);
        places.extend(near.filter(|place| (self.masks[*place] ^ folded.mask).count_ones() <= bits));
        places.sort_unstable();
        places.dedup();
        let alike = places.into_iter().filter_map(|place| {
            let position = self.positions[place] as usize;
            let other = text(position);
            let likeness = if other == name { None } else { folded.likeness(&Folded::new(other)) };
            likeness.map(|likeness| (likeness, position))
        });
        let mut alike: Vec<_> = alike.collect();
        alike.sort_unstable();
        alike.truncate(MAX_ALIKE);
        alike.into_iter().map(|(likeness, position)| (position, likeness)).collect()
    }

    /// The places of those that look so.
    fn looking_like(&self, look: u64) -> impl Iterator<Item = usize> {
        let first = self.looks.partition_point(|(other, _)| *other < look);
        let same = self.looks[first..].iter().take_while(move |(other, _)| *other == look);
        same.map(|(_, place)| *place as usize)
    }

    /// Where the names of this length begin.
    fn start(&self, length: usize) -> usize {
        self.starts.get(length).copied().unwrap_or(self.positions.len())
    }
}

/// Which pairs of neighbours a text has, a bit for each, shared by some.
fn mask(text: &[char]) -> u128 {
    text.windows(2).fold(0, |mask, pair| {
        let pair = u64::from(u32::from(pair[0])) << 21 | u64::from(u32::from(pair[1]));
        mask | 1 << (pair.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 57)
    })
}

/// Whether two texts are at most so many edits apart (Damerau–Levenshtein: between two characters that change places,
/// others may come and go). Takes the time of the shorter text, and 36 times that at worst.
pub(super) fn is_within(one: &[char], other: &[char], edits: usize) -> bool {
    if edits < one.len().abs_diff(other.len()) {
        return false;
    }
    let equal = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&one[equal..], &other[equal..]);
    if one.is_empty() || other.is_empty() {
        return true;
    }
    let is_after = |first: usize, second: usize, cost: usize| {
        let rest = one.get(first..).zip(other.get(second..)).zip(edits.checked_sub(cost));
        rest.is_some_and(|((one, other), edits)| is_within(one, other, edits))
    };
    // The first of each is found in the other, with so many between that and the first.
    let exchanged = |in_one: usize, in_other: usize| {
        one.get(in_one) == other.first()
            && other.get(in_other) == one.first()
            && is_after(in_one + 1, in_other + 1, in_one + in_other - 1)
    };
    is_after(1, 1, 1) || is_after(1, 0, 1) || is_after(0, 1, 1) || exchanged(1, 1) || exchanged(2, 1) || exchanged(1, 2)
}

/// What a name looks like, as hashes that names which look the same have one of in common: of the name as it is, and
/// in lower case.
pub(super) fn looks(name: &str) -> [u64; 2] {
    [look(name), look(&name.to_lowercase())]
}

/// A hash of what a text looks like, letter case ignored.
fn look(text: &str) -> u64 {
    /// What each ASCII character looks like: most names have no other, and are read a hundred times as fast.
    static ASCII: LazyLock<Vec<String>> =
        LazyLock::new(|| (0..128_u8).map(|code| looks_like(&char::from(code).to_string())).collect());
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    if text.is_ascii() {
        let looks = text.bytes().filter_map(|byte| ASCII.get(usize::from(byte)));
        return looks.flat_map(|looks| looks.bytes()).fold(HASH_OF_NOTHING, hash);
    }
    looks_like(text).bytes().fold(HASH_OF_NOTHING, hash)
}

/// Where FNV-1a begins.
const HASH_OF_NOTHING: u64 = 0xCBF2_9CE4_8422_2325;

fn looks_like(text: &str) -> String {
    skeleton(text).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_alike_as_the_table_says() {
        for (one, other, expected) in [
            ("a/b", "a/b", None),
            ("io.github.SceneView/mcp", "io.github.sceneview/mcp", Some(Likeness::Case)),
            ("paypal/mcp", "paypa1/mcp", Some(Likeness::Confusable)),
            ("PayPaI/mcp", "paypal/mcp", Some(Likeness::Confusable)),
            ("com.micros\u{43e}ft/mcp", "com.microsoft/mcp", Some(Likeness::Confusable)),
            ("com.rnicrosoft/mcp", "com.microsoft/mcp", Some(Likeness::Confusable)),
            ("com.github/mcp", "com.g\u{200b}ithub/mcp", Some(Likeness::Confusable)),
            ("com.githbu/mcp", "com.github/mcp", Some(Likeness::Edits(1))),
            ("com.git/mcp", "com.gitt/mcp", Some(Likeness::Edits(1))),
            ("com.github/mcp", "com.gilhab/mcp", None),
            ("com.github.long/mcp", "com.gilhab.long/mcp", Some(Likeness::Edits(2))),
            ("io.github.modelcontextprotocol/x", "io.github.modlecontextprotoco/x", Some(Likeness::Edits(2))),
            ("io.github.abcd/mcp", "io.github.cb/mcp", None),
        ] {
            assert_eq!(likeness(one, other), expected, "{one} {other}");
            assert_eq!(likeness(other, one), expected, "{other} {one}");
            let names = ["x/y", other];
            let found = Names::new(names).like(one, |position| names[position]);
            let alike: Vec<_> = expected.into_iter().map(|likeness| (1, likeness)).collect();
            assert_eq!(found, alike, "{one} {other}");
        }
    }

    #[test]
    fn the_closest_come_first_and_not_without_end() {
        let names = ["io.example/server-a1", "io.example/Server-a", "io.example/server-xy", "io.example/other"];
        let expected = vec![(1, Likeness::Case), (0, Likeness::Edits(1)), (2, Likeness::Edits(2))];
        assert_eq!(Names::new(names).like("io.example/server-a", |position| names[position]), expected);
        let many: Vec<String> = (0..100).map(|number| format!("io.example/server-{number:02}")).collect();
        let names = Names::new(many.iter().map(String::as_str));
        assert_eq!(names.like("io.example/server-x", |position| &many[position]).len(), MAX_ALIKE);
        assert_eq!(Names::new([]).like("a/b", |_| ""), []);
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[abcIl1é]{0,9}").expect("a pattern")
    }

    proptest! {
        #[test]
        fn the_distance_is_the_one_of_the_literature(one in text(), other in text()) {
            let distance = strsim::damerau_levenshtein(&one, &other);
            let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
            for edits in 0..=MAX_EDITS {
                prop_assert_eq!(is_within(&one, &other, edits), distance <= edits);
            }
            let apart = (mask(&one) ^ mask(&other)).count_ones() as usize;
            prop_assert!(apart <= distance * BITS_OF_AN_EDIT as usize, "{} for {}", apart, distance);
        }

        #[test]
        fn a_search_finds_what_a_look_at_each_finds(
            names in prop::collection::vec("[abIl1é]{0,4}(abcdefghijklmno)?[ab]{0,2}", 0..MAX_ALIKE),
            name in "[abIl1é]{0,4}(abcdefghijklmno)?[ab]{0,2}",
        ) {
            let index = Names::new(names.iter().map(String::as_str));
            let mut found = index.like(&name, |position| &names[position]);
            found.sort_unstable();
            let each = names.iter().enumerate().filter_map(|(position, other)| Some((position, likeness(&name, other)?)));
            prop_assert_eq!(found, each.collect::<Vec<_>>());
        }
    }
}
