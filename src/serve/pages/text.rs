//! What registries wrote, as text that can do no harm: nothing in it is invisible, and nothing changes the direction of
//! what stands around it.

use std::borrow::Cow;
use std::fmt::Write as _;

use maud::{Markup, html};

use crate::inspect::hidden::{is_direction, is_hidden};

/// The longest text of a registry's that is shown, in characters: of more, the beginning.
pub(in crate::serve) const MAX_CHARS: usize = 2_000;
/// The same where there is no room for more than a line: in the title of a document, in a list of choices.
const MAX_LINE_CHARS: usize = 120;

/// A name, a version, an identifier: every character shows, also those that do not.
pub(in crate::serve) fn name(text: &str) -> Markup {
    html! { bdi { (shown(text, is_hidden)) } }
}

/// A name that may be longer than a line: it is broken behind slashes first.
pub(in crate::serve) fn long_name(text: &str) -> Markup {
    html! { bdi { (breakable(&shown(text, is_hidden))) } }
}

/// A name in one width.
pub(in crate::serve) fn code(text: &str) -> Markup {
    html! { code dir="ltr" { (breakable(&shown(text, is_hidden))) } }
}

/// A sentence or several. What makes emoji of several characters stays as it is.
pub(in crate::serve) fn prose(text: &str) -> Markup {
    html! { bdi { (shown(text.trim(), |char| is_direction(char) || char.is_control() && !char.is_whitespace())) } }
}

/// A name where no markup can be: every character shows, and no more of them than fit on a line.
pub(in crate::serve) fn plain(text: &str) -> Cow<'_, str> {
    shown_within(text, MAX_LINE_CHARS, is_hidden)
}

/// The same of a sentence. What makes emoji of several characters stays as it is.
pub(in crate::serve) fn title(text: &str) -> Cow<'_, str> {
    shown_within(text.trim(), MAX_LINE_CHARS, |char| {
        is_hidden(char) && !matches!(char, '\u{200d}' | '\u{fe0e}'..='\u{fe0f}')
    })
}

/// Whether a text holds anything but printable ASCII. What looks like another name does, mostly.
pub(in crate::serve) fn is_unusual(text: &str) -> bool {
    text.chars().any(|char| !char.is_ascii() || char.is_control())
}

/// The characters of a text that are none of printable ASCII, each once, by their numbers; eight at most.
pub(in crate::serve) fn unusual(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for char in text.chars().filter(|char| !char.is_ascii() || char.is_control()) {
        let number = numbered(char);
        if found.len() < 8 && !found.contains(&number) {
            found.push(number);
        }
    }
    found
}

fn numbered(char: char) -> String {
    format!("U+{:04X}", u32::from(char))
}

/// A text in which hidden characters stand by their numbers, cut where it is too long.
fn shown(text: &str, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    shown_within(text, MAX_CHARS, is_hidden)
}

fn shown_within(text: &str, most: usize, is_hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    let end = text.char_indices().nth(most).map(|(end, _)| end);
    let cut = &text[..end.unwrap_or(text.len())];
    if end.is_none() && !cut.chars().any(&is_hidden) {
        return text.into();
    }
    let mut shown = String::with_capacity(cut.len() + 16);
    for char in cut.chars() {
        if is_hidden(char) {
            let _ = write!(shown, "⟨{}⟩", numbered(char));
        } else {
            shown.push(char);
        }
    }
    if end.is_some() {
        shown.push('…');
    }
    shown.into()
}

/// A text that browsers may break behind slashes and the like, instead of anywhere.
fn breakable(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split_inclusive(['/', '@', ':', '?', '&', '=', ',']).enumerate() {
            @if index > 0 { wbr; }
            (part)
        }
    }
}

/// A number with its thousands apart.
pub(in crate::serve) fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of something: `1 server`, `2,000 servers`.
pub(in crate::serve) fn count(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_in_a_name_shows() {
        for (text, expected) in [
            ("com.example/a", "<bdi>com.example/a</bdi>"),
            ("<script>", "<bdi>&lt;script&gt;</bdi>"),
            ("a\u{202e}b\n\u{200b}", "<bdi>a⟨U+202E⟩b⟨U+000A⟩⟨U+200B⟩</bdi>"),
            ("Füße 漢字", "<bdi>Füße 漢字</bdi>"),
        ] {
            assert_eq!(name(text).into_string(), expected);
        }
        assert_eq!(
            prose(" a\n👨\u{200d}👩 \u{202e}\u{7}").into_string(),
            "<bdi>a\n👨\u{200d}👩 ⟨U+202E⟩⟨U+0007⟩</bdi>"
        );
        assert_eq!(code("a/b@1").into_string(), "<code dir=\"ltr\">a/<wbr>b@<wbr>1</code>");
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "é".repeat(MAX_CHARS + 5);
        let shown = name(&long).into_string();
        assert_eq!(shown.chars().filter(|char| *char == 'é').count(), MAX_CHARS);
        assert!(shown.ends_with("…</bdi>"));
        assert!(!name(&long[..2 * MAX_CHARS]).into_string().contains('…'));
    }

    #[test]
    fn what_stands_in_no_markup_is_a_line_without_anything_hidden() {
        assert_eq!(plain("1.0\u{202e}\u{200b}\n2"), "1.0⟨U+202E⟩⟨U+200B⟩⟨U+000A⟩2");
        assert_eq!(title(" ⚡\u{fe0f} Tools\u{202e}\u{200b} "), "⚡\u{fe0f} Tools⟨U+202E⟩⟨U+200B⟩");
        let long = "x".repeat(200_000);
        for shown in [plain(&long), title(&long)] {
            assert_eq!(*shown, format!("{}…", "x".repeat(MAX_LINE_CHARS)));
        }
    }

    #[test]
    fn unusual_characters_are_told_by_their_numbers() {
        assert!(!is_unusual("com.example/a b") && is_unusual("com.ex\u{430}mple/a") && is_unusual("a\n"));
        assert_eq!(unusual("\u{430}a\u{430}\u{200b}"), ["U+0430", "U+200B"]);
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!([0, 999, 1_000, 31_309, 1_000_000].map(number), ["0", "999", "1,000", "31,309", "1,000,000"]);
        assert_eq!([count(1, "server", "servers"), count(0, "server", "servers")], ["1 server", "0 servers"]);
    }
}
