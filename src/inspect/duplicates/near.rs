//! Pairs of texts that may be one edit apart, or two, found without comparing each with each: two such texts have a form in
//! common that both become when as many characters are taken out (`SymSpell`'s deletion neighbourhoods). Only the first
//! characters are taken, which loses no pair: what differs behind them shows in nothing but more pairs to look at.
//!
//! No library has it without the dictionary around it. What it gives is a superset; whoever asks looks at each pair.

use std::hash::{BuildHasher, RandomState};

/// How many characters at the beginning count.
const PREFIX: usize = 10;
/// How many forms are held at a time: 64 MiB of them. Of more, a part in each of several passes.
const MAX_FORMS: usize = 4 << 20;
/// The most texts with one form that are compared. Of more, they are no more like one another than like all the rest.
const MAX_ALIKE: usize = 512;

/// How far apart texts may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// One edit.
    One,
    /// Two edits.
    Two,
}

impl Reach {
    /// How many forms a text has at most: all of it, one character less, and two less.
    const fn forms(self) -> usize {
        match self {
            Self::One => 1 + PREFIX,
            Self::Two => 1 + PREFIX + PREFIX * (PREFIX - 1) / 2,
        }
    }
}

/// Calls `look` with each pair of positions whose texts may be that far apart, some of them several times, until it
/// says that it has seen enough. The first position is the lesser one.
pub(super) fn pairs(texts: &[&str], reach: Reach, mut look: impl FnMut(usize, usize) -> bool) {
    let hasher = RandomState::new();
    let passes = (texts.len() * reach.forms()).div_ceil(MAX_FORMS).max(1) as u64;
    let mut forms: Vec<(u64, u32)> = Vec::new();
    for pass in 0..passes {
        forms.clear();
        for (position, text) in (0_u32..).zip(texts) {
            each_form(text, reach, |form| {
                let hash = hasher.hash_one(form);
                if hash % passes == pass {
                    forms.push((hash, position));
                }
            });
        }
        forms.sort_unstable();
        forms.dedup();
        for alike in forms.chunk_by(|one, other| one.0 == other.0).filter(|alike| alike.len() <= MAX_ALIKE) {
            for (index, (_, one)) in alike.iter().enumerate() {
                for (_, other) in &alike[index + 1..] {
                    if !look(*one as usize, *other as usize) {
                        return;
                    }
                }
            }
        }
    }
}

/// Calls `see` with what becomes of the beginning of a text when up to one character is taken out, or two.
fn each_form(text: &str, reach: Reach, mut see: impl FnMut(&[char])) {
    let prefix: Vec<char> = text.chars().take(PREFIX).collect();
    let mut form = Vec::with_capacity(PREFIX);
    see(&prefix);
    for first in 0..prefix.len() {
        form.clear();
        form.extend(prefix.iter().enumerate().filter(|(index, _)| *index != first).map(|(_, char)| *char));
        see(&form);
        let further = if reach == Reach::Two { first + 1..prefix.len() } else { 0..0 };
        for second in further {
            form.clear();
            let is_kept = |(index, _): &(usize, &char)| *index != first && *index != second;
            form.extend(prefix.iter().enumerate().filter(is_kept).map(|(_, char)| *char));
            see(&form);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn found(texts: &[&str], reach: Reach) -> BTreeSet<(usize, usize)> {
        let mut found = BTreeSet::new();
        pairs(texts, reach, |one, other| {
            found.insert((one, other));
            true
        });
        found
    }

    #[test]
    fn what_is_two_edits_apart_is_found_and_the_search_ends_when_it_is_told_to() {
        let texts = ["acme", "acem", "axme1", "zzzzzzzz", "acme-tools-for-all", "acme-toosl-for-all"];
        let found = found(&texts, Reach::Two);
        for pair in [(0, 1), (0, 2), (4, 5)] {
            assert!(found.contains(&pair), "{pair:?} {found:?}");
        }
        assert!(!found.contains(&(0, 3)));
        let mut looked = 0;
        pairs(&texts, Reach::Two, |_, _| {
            looked += 1;
            false
        });
        assert_eq!(looked, 1);
    }

    proptest! {
        #[test]
        fn nothing_that_is_as_near_is_lost(
            text in "[ab]{0,14}", edits in prop::collection::vec((0_u8..4, 0_usize..15, "[ab]"), 0..3)
        ) {
            let reach = if edits.len() < 2 { Reach::One } else { Reach::Two };
            let mut other: Vec<char> = text.chars().collect();
            for (what, at, new) in edits {
                let at = at.min(other.len());
                let new = new.chars().next().expect("one character");
                match what {
                    0 => other.insert(at, new),
                    1 if at < other.len() => drop(other.remove(at)),
                    2 if at < other.len() => other[at] = new,
                    3 if at + 1 < other.len() => other.swap(at, at + 1),
                    _ => {}
                }
            }
            let other: String = other.into_iter().collect();
            prop_assert!(found(&[&text, &other], reach).contains(&(0, 1)), "{} {}", text, other);
        }
    }
}
