//! What can be said of patterns without a glob library: how names are compared, what one pattern has to do with
//! another, and the simple patterns that requests may bring.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How often a name is decoded to see what it may be taken for. Requests are read at most twice.
const MAX_READINGS: usize = 3;

/// A text without letter case, in every script: what differs in nothing else reads the same. Long s, the Kelvin sign
/// and the final sigma are the letters that they stand for.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// A name as it is and, where it holds escapes, as it reads when they are decoded: some clients encode twice, so
/// whoever asks for `com.acme/x` may be given a server of the name `com.acme%2Fx`.
pub(super) fn readings(name: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let decoded = |name: &Cow<'_, str>| {
        let decoded = name.contains('%').then(|| percent_decode_str(name).decode_utf8_lossy().into_owned());
        decoded.filter(|decoded| *decoded != **name).map(Cow::Owned)
    };
    std::iter::successors(Some(Cow::Borrowed(name)), decoded).take(1 + MAX_READINGS)
}

/// A pattern in parts, without letter case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// This byte.
    Literal(u8),
    /// `*`: whatever there is, or nothing.
    Anything,
    /// `?`, `[…]` or `{…}`: something.
    Something,
}

impl Shape {
    /// The shape of a glob pattern, as the rules read it.
    #[must_use]
    pub fn of(pattern: &str) -> Self {
        let folded = fold(pattern);
        let mut bytes = folded.bytes().peekable();
        let mut parts = Vec::with_capacity(folded.len());
        while let Some(byte) = bytes.next() {
            let part = match byte {
                b'\\' => Part::Literal(bytes.next().unwrap_or(byte)),
                b'*' => Part::Anything,
                b'?' => Part::Something,
                b'[' => {
                    // A bracket that stands first is one of those that are meant.
                    let _negation = bytes.next_if(|byte| matches!(byte, b'!' | b'^'));
                    let _first = bytes.next();
                    let _rest = bytes.by_ref().take_while(|byte| *byte != b']').count();
                    Part::Something
                }
                b'{' => {
                    let mut depth = 1_usize;
                    for byte in bytes.by_ref() {
                        depth = depth + usize::from(byte == b'{') - usize::from(byte == b'}');
                        if depth == 0 {
                            break;
                        }
                    }
                    Part::Something
                }
                literal => Part::Literal(literal),
            };
            parts.push(part);
        }
        Self(parts)
    }

    /// The shape of a text in which nothing but `*` has a meaning.
    #[must_use]
    pub fn of_wildcards(text: &str) -> Self {
        Self(fold(text).bytes().map(|byte| if byte == b'*' { Part::Anything } else { Part::Literal(byte) }).collect())
    }

    /// Whether a name has the shape, of those that [`Shape::of_wildcards`] gives.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        is_absorbed(&self.0, fold(name).as_bytes(), |part, byte| part == Part::Literal(byte))
    }

    /// Whether every name that the other one matches is matched by this one. `false` where that cannot be told.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let is_plain = !self.0.contains(&Part::Something);
        let is_literal = |part, inner| part == inner && matches!(part, Part::Literal(_));
        self == other || is_plain && is_absorbed(&self.0, &other.0, is_literal)
    }

    /// Whether some name may be matched by both. `true` where that cannot be told.
    #[must_use]
    pub fn may_meet(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.0, &other.0);
        let is_free = |part: Option<&Part>| part.is_some_and(|part| !matches!(part, Part::Literal(_)));
        // Whether what remains of theirs, from each place on, may be met by what remains of ours: from its end on.
        let mut meets = vec![false; theirs.len() + 2];
        for at in (0..=ours.len()).rev() {
            let after = std::mem::replace(&mut meets, vec![false; theirs.len() + 2]);
            let our = ours.get(at);
            for from in (0..=theirs.len()).rev() {
                let their = theirs.get(from);
                meets[from] = our.is_none() && their.is_none()
                    || is_free(our) && (after[from] || meets[from + 1])
                    || is_free(their) && (meets[from + 1] || after[from])
                    || our.is_some() && our == their && after[from + 1];
            }
        }
        meets[0]
    }
}

/// Whether the parts take up all of a sequence: `*` any stretch of it, every other part one that is its equal.
fn is_absorbed<T: Copy>(parts: &[Part], sequence: &[T], is_equal: impl Fn(Part, T) -> bool) -> bool {
    let (mut part, mut at) = (0, 0);
    // Where the last `*` stands, and how far what it takes up reaches.
    let mut last: Option<(usize, usize)> = None;
    while at < sequence.len() {
        match parts.get(part) {
            Some(Part::Anything) => {
                last = Some((part, at));
                part += 1;
            }
            Some(known) if is_equal(*known, sequence[at]) => {
                part += 1;
                at += 1;
            }
            _ => match last.as_mut() {
                None => return false,
                Some((star, reach)) => {
                    *reach += 1;
                    (part, at) = (*star + 1, *reach);
                }
            },
        }
    }
    parts[part..].iter().all(|part| *part == Part::Anything)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::rules::parse_pattern;

    fn covers(outer: &str, inner: &str) -> bool {
        Shape::of(outer).covers(&Shape::of(inner))
    }

    fn may_meet(one: &str, other: &str) -> bool {
        Shape::of(one).may_meet(&Shape::of(other))
    }

    #[test]
    fn a_pattern_covers_what_it_leaves_nothing_of() {
        for (outer, inner) in [
            ("*", "com.acme/*"),
            ("com.acme*", "com.acme/*"),
            ("COM.acme/*", "com.Acme/*"),
            ("com.*/*", "com.acme/x"),
            ("com.acme/*", "com.acme/tools-?"),
            ("com.{acme,other}/*", "com.{acme,other}/*"),
            ("*/x", "*/x"),
        ] {
            assert!(covers(outer, inner), "{outer} {inner}");
        }
        for (outer, inner) in [
            ("com.acme/*", "com.acme*"),
            ("com.acme/?", "com.acme/x"),
            ("com.acme/a*", "com.acme/*"),
            ("com.acme/\\*", "com.acme/*"),
            ("*/x", "*/y"),
            ("", "a"),
        ] {
            assert!(!covers(outer, inner), "{outer} {inner}");
        }
    }

    #[test]
    fn patterns_meet_where_a_name_can_match_both() {
        for (one, other) in [
            ("com.acme/*", "com.*/x"),
            ("*/search", "com.acme/*"),
            ("a*", "*b"),
            ("com.[ab]cme/*", "com.acme/x"),
            ("com.{acme,b}/x", "com.acme/x"),
            ("*", "x"),
        ] {
            assert!(may_meet(one, other) && may_meet(other, one), "{one} {other}");
        }
        for (one, other) in [("com.acme/*", "org.other/*"), ("a*", "b*"), ("*a", "*b"), ("x", "xy"), ("", "a")] {
            assert!(!may_meet(one, other) && !may_meet(other, one), "{one} {other}");
        }
    }

    #[test]
    fn letter_case_is_ignored_in_every_script() {
        for (one, other) in [("com.Acme", "COM.aCME"), ("K", "\u{212a}"), ("ſ", "S"), ("ΟΔΟΣ/Σ", "οδος/ς"), ("É", "é")]
        {
            assert_eq!(fold(one), fold(other));
        }
    }

    proptest! {
        #[test]
        fn what_is_said_of_patterns_holds_of_every_name(
            one in "[ab/*]{0,6}", other in "[ab/*?]{0,6}", name in "[ab/]{0,8}"
        ) {
            let matches = |pattern: &str| parse_pattern(pattern).expect("a glob").compile_matcher().is_match(&name);
            // Two stars in a row have a meaning of their own for paths.
            prop_assume!(!one.contains("**") && !other.contains("**"));
            let (is_one, is_other) = (matches(&one), matches(&other));
            prop_assert!(!covers(&one, &other) || !is_other || is_one);
            prop_assert!(may_meet(&one, &other) || !(is_one && is_other));
            prop_assert_eq!(Shape::of_wildcards(&one).matches(&name), is_one);
        }
    }
}
