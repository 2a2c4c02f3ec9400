//! Passes over JSON without white space, which is how we hold and keep it: where texts and values end, and whether
//! they are sound. What it is not sure of, it leaves to `serde_json`, which takes four times as long.

/// Passes over a text. Where it gives nothing, it may be anywhere.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the beginning of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where it is, in bytes.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// What follows.
    #[must_use]
    pub fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over this, if it follows.
    pub fn expect(&mut self, literal: &str) -> Option<()> {
        let is_there = self.text.as_bytes().get(self.at..)?.starts_with(literal.as_bytes());
        self.at += if is_there { literal.len() } else { 0 };
        is_there.then_some(())
    }

    /// Passes over a text that needs no escapes, and returns what is between its quotes.
    pub fn plain(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let end = (self.peek()? == b'"').then(|| end_of_plain(self.text.as_bytes(), start))??;
        self.at = end + 1;
        (self.text.as_bytes().get(end)? == &b'"').then(|| self.text.get(start..end))?
    }

    /// Passes over a value that has no more levels of objects and lists than this, and returns it.
    pub fn value(&mut self, levels: usize) -> Option<&'a str> {
        let start = self.at;
        self.pass_value(levels)?;
        self.text.get(start..self.at)
    }

    /// Passes over an object and calls `visit` with each member: its key, which needs no escapes, and where its value
    /// begins and ends. `visit` may refuse it.
    pub fn object(&mut self, levels: usize, mut visit: impl FnMut(&'a str, usize, usize) -> Option<()>) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        self.expect("{")?;
        if self.accept(b'}') {
            return Some(());
        }
        loop {
            let key = self.plain()?;
            self.accept(b':').then_some(())?;
            let start = self.at;
            self.pass_value(levels)?;
            visit(key, start, self.at)?;
            if self.accept(b'}') {
                return Some(());
            }
            self.accept(b',').then_some(())?;
        }
    }

    fn pass_value(&mut self, levels: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.pass_text(),
            b'{' => self.pass_object(levels),
            b'[' => self.pass_list(levels),
            b't' => self.expect("true"),
            b'f' => self.expect("false"),
            b'n' => self.expect("null"),
            _ => self.pass_number(),
        }
    }

    fn pass_object(&mut self, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        self.at += 1;
        if self.accept(b'}') {
            return Some(());
        }
        loop {
            self.pass_text()?;
            self.accept(b':').then_some(())?;
            self.pass_value(levels)?;
            if self.accept(b'}') {
                return Some(());
            }
            self.accept(b',').then_some(())?;
        }
    }

    fn pass_list(&mut self, levels: usize) -> Option<()> {
        let levels = levels.checked_sub(1)?;
        self.at += 1;
        if self.accept(b']') {
            return Some(());
        }
        loop {
            self.pass_value(levels)?;
            if self.accept(b']') {
                return Some(());
            }
            self.accept(b',').then_some(())?;
        }
    }

    fn pass_text(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.accept(b'"').then_some(())?;
        loop {
            let end = end_of_plain(bytes, self.at)?;
            self.at = match (bytes.get(end)?, bytes.get(end + 1)) {
                (b'"', _) => {
                    self.at = end + 1;
                    return Some(());
                }
                (b'\\', Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't')) => end + 2,
                (b'\\', Some(b'u')) if bytes.get(end + 2..end + 6)?.iter().all(u8::is_ascii_hexdigit) => end + 6,
                _ => return None,
            };
        }
    }

    fn pass_number(&mut self) -> Option<()> {
        self.accept(b'-');
        if !self.accept(b'0') {
            self.pass_digits()?;
        }
        if self.accept(b'.') {
            self.pass_digits()?;
        }
        if self.accept(b'e') || self.accept(b'E') {
            let _ = self.accept(b'+') || self.accept(b'-');
            self.pass_digits()?;
        }
        Some(())
    }

    fn pass_digits(&mut self) -> Option<()> {
        let digits = self.text.as_bytes().get(self.at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }
}

/// Where the part of a text ends that stands for itself: at a quote, an escape, or what may not stand there.
#[must_use]
pub fn end_of_plain(bytes: &[u8], mut at: usize) -> Option<usize> {
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        match marks(u64::from_le_bytes(*word)) {
            0 => at += size_of::<u64>(),
            marks => return Some(at + marks.trailing_zeros() as usize / 8),
        }
    }
    let is_mark = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.get(at..)?.iter().position(is_mark).map(|found| at + found)
}

/// A bit in each byte of a word that is a quote, a backslash or a control character; perhaps some above the first such
/// byte, too.
fn marks(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = u64::from_le_bytes([0x80; 8]);
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, 0x20) | is(b'"') | is(b'\\')) & HIGH
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use super::*;

    /// Values that nest, with texts that have escapes.
    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<Option<bool>>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(".{0,9}", inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_value_is_passed_over_to_its_end(value in json(), rest in "[,}\\]:]?.{0,9}") {
            let text = value.to_string();
            let both = format!("{text},{rest}");
            let mut scanner = Scanner::new(&both);
            prop_assert_eq!(scanner.value(16), Some(&*text));
            prop_assert_eq!(scanner.position(), text.len());
        }

        #[test]
        fn what_is_taken_for_a_value_is_one(value in json(), at in any::<prop::sample::Index>(), byte in any::<char>()) {
            let mut text: Vec<char> = value.to_string().chars().collect();
            let at = at.index(text.len());
            text[at] = byte;
            let text: String = text.into_iter().collect();
            if let Some(taken) = Scanner::new(&text).value(16) {
                let parsed = serde_json::from_str::<&RawValue>(taken);
                prop_assert!(parsed.is_ok(), "{}: {:?}", taken, parsed);
            }
        }
    }

    #[test]
    fn what_is_no_json_or_has_white_space_or_is_too_deep_is_left() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":}",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "01x",
            "-",
            "1.",
            "1e",
            "[ 1]",
            "tru",
        ] {
            let taken = Scanner::new(text).value(8);
            assert!(taken.is_none_or(|taken| taken.len() < text.len()), "{text}: {taken:?}");
        }
        assert!(Scanner::new("[[[]]]").value(2).is_none());
        assert!(Scanner::new("[[[]]]").value(3).is_some());
    }

    #[test]
    fn the_members_of_an_object_are_visited() {
        let text = r#"{"a":1,"b":{"c":[]},"d":"\n"}x"#;
        let (mut seen, mut scanner) = (Vec::new(), Scanner::new(text));
        scanner.object(3, |key, start, end| {
            seen.push((key, &text[start..end]));
            Some(())
        });
        assert_eq!(seen, [("a", "1"), ("b", r#"{"c":[]}"#), ("d", r#""\n""#)]);
        assert_eq!(scanner.rest(), "x");
        assert!(Scanner::new(r#"{"\u0061":1}"#).object(3, |_, _, _| Some(())).is_none(), "escapes in a key");
    }
}
