//! Texts that registries and clients wrote, on their way to a model: one line, without what does not show, and short.

/// The longest text of a stranger's in an answer, in characters.
const MAX_CHARS: usize = 300;

/// A text as it may stand in a sentence.
pub(super) fn clean(text: &str) -> String {
    shortened(text, MAX_CHARS)
}

/// What is wrong with arguments or a message: serde's own words, but for the value that it may quote. That may be a
/// secret, and an answer ends up in logs and in a model's context.
pub(super) fn wrong(error: &serde_json::Error) -> String {
    let error = error.to_string();
    // What begins with the name of a member is ours.
    if ["missing field", "unknown field", "duplicate field", "`"].iter().any(|start| error.starts_with(start)) {
        return clean(&error);
    }
    // What is quoted comes before it.
    match error.rsplit_once("expected ") {
        Some((_, expected)) => format!("one of the values is not what it has to be: {}", clean(expected)),
        None => "a member is missing, or has another type or value than it may have".to_owned(),
    }
}

/// So many of something.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The same as [`clean`] at another length. White space becomes one space, and what a reader does not see goes: a model would read
/// it.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut clean = String::new();
    let mut length = 0;
    let mut is_gap = false;
    for char in text.chars() {
        if char.is_whitespace() {
            is_gap = length > 0;
            continue;
        }
        if is_hidden(char) {
            continue;
        }
        if most <= length + usize::from(is_gap) {
            clean.push('…');
            break;
        }
        if is_gap {
            clean.push(' ');
            length += 1;
            is_gap = false;
        }
        clean.push(char);
        length += 1;
    }
    clean
}

/// Whether a character has no shape of its own: controls, marks of direction, joiners, tags, variation selectors.
fn is_hidden(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
            | '\u{ffa0}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_one_line_short_and_without_what_does_not_show() {
        for (text, expected) in [
            ("plain", "plain"),
            ("  two\n\nlines\t ", "two lines"),
            ("a\u{200b}b\u{202e}c\u{e0041}\u{e007f}d\u{1b}[31m", "abcd[31m"),
            ("été 日本", "été 日本"),
            ("", ""),
            ("\u{feff}\n", ""),
        ] {
            assert_eq!(clean(text), expected, "{text:?}");
        }
        assert_eq!(shortened("12345", 5), "12345");
        assert_eq!(shortened("123456", 5), "12345…");
        assert_eq!(shortened("1234 6", 5), "1234…");
        assert_eq!(shortened("12345   ", 5), "12345");
    }
}
