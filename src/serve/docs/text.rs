//! The little of Markdown that the description is written in: paragraphs, lists, `code`, **strong**, links.

use maud::{Markup, html};

/// How long a piece of code may be that stays on one line: a screen 320 pixels wide shows that many characters.
const UNBROKEN_CHARACTERS: usize = 32;

/// A part of a line.
#[derive(Debug, PartialEq)]
enum Span<'a> {
    Plain(&'a str),
    Code(&'a str),
    Strong(Vec<Self>),
    Link { label: &'a str, to: &'a str },
}

/// A text of several paragraphs and lists.
pub(super) fn blocks(text: &str) -> Markup {
    html! {
        @for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
            @if let Some(list) = block.strip_prefix("- ") {
                ul.prose { @for item in list.split("\n- ") { li { (inline(item)) } } }
            } @else {
                p { (inline(block)) }
            }
        }
    }
}

/// A text within a line.
pub(super) fn inline(text: &str) -> Markup {
    render(&spans(text))
}

fn render(spans: &[Span<'_>]) -> Markup {
    html! {
        @for span in spans {
            @match span {
                Span::Plain(text) => { (text) },
                Span::Code(text) => { (code(text)) },
                Span::Strong(inner) => { strong { (render(inner)) } },
                Span::Link { label, to } => { a href=(to) { (label) } },
            }
        }
    }
}

/// A piece of code. It stays on one line where any screen has room for it; a longer one is broken between its
/// words, or behind slashes where a word alone is too long, and anywhere else only if that does not help.
pub(super) fn code(text: &str) -> Markup {
    let fits = |text: &str| text.len() <= UNBROKEN_CHARACTERS;
    if fits(text) {
        return html! { code { (text) } };
    }
    html! {
        code.long {
            @for (index, word) in text.split(' ').enumerate() {
                @if index > 0 { " " }
                @if fits(word) { span { (word) } } @else { (breakable(word)) }
            }
        }
    }
}

fn breakable(word: &str) -> Markup {
    html! {
        @for (index, part) in word.split_inclusive('/').enumerate() {
            @if index > 0 { wbr; }
            (part)
        }
    }
}

fn spans(text: &str) -> Vec<Span<'_>> {
    let (mut spans, mut plain, mut rest) = (Vec::new(), 0, text);
    let mut begin = text;
    while let Some(character) = rest.chars().next() {
        if let Some((span, after)) = marked(rest) {
            if plain > 0 {
                spans.push(Span::Plain(&begin[..plain]));
            }
            spans.push(span);
            (begin, plain, rest) = (after, 0, after);
        } else {
            plain += character.len_utf8();
            rest = &rest[character.len_utf8()..];
        }
    }
    if plain > 0 {
        spans.push(Span::Plain(&begin[..plain]));
    }
    spans
}

/// The span that a text begins with, if a mark begins it, and what follows.
fn marked(text: &str) -> Option<(Span<'_>, &str)> {
    if let Some(rest) = text.strip_prefix('`') {
        return rest.split_once('`').map(|(code, after)| (Span::Code(code), after));
    }
    if let Some(rest) = text.strip_prefix("**") {
        return rest.split_once("**").map(|(strong, after)| (Span::Strong(spans(strong)), after));
    }
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (to, after) = rest.split_once(')')?;
    Some((Span::Link { label, to }, after))
}

/// A text as the name of a place on the page.
pub(super) fn slug(text: &str) -> String {
    let words = text.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_elements_and_the_rest_is_escaped() {
        let cases = [
            ("a < b", "a &lt; b"),
            ("`a<b>` and `c`", "<code>a&lt;b&gt;</code> and <code>c</code>"),
            ("**404 means `x`.** So", "<strong>404 means <code>x</code>.</strong> So"),
            (
                "`Cache-Status: mcp-registry-proxy; hit`",
                "<code class=\"long\"><span>Cache-Status:</span> <span>mcp-registry-proxy;</span> <span>hit</span></code>",
            ),
            (
                "`/v0.1/servers/{serverName}/versions`",
                "<code class=\"long\">/<wbr>v0.1/<wbr>servers/<wbr>{serverName}/<wbr>versions</code>",
            ),
            ("see [RFC](https://e.org/a).", "see <a href=\"https://e.org/a\">RFC</a>."),
            ("an ` alone, ** too, [x", "an ` alone, ** too, [x"),
        ];
        for (text, expected) in cases {
            assert_eq!(inline(text).into_string(), expected);
        }
    }

    #[test]
    fn paragraphs_and_lists_are_told_apart() {
        let text = "one\ntwo\n\n- three\n  four\n- five\n";
        let expected = "<p>one\ntwo</p><ul class=\"prose\"><li>three\n  four</li><li>five\n</li></ul>";
        assert_eq!(blocks(text).into_string(), expected);
        assert_eq!(slug("GET /v0.1/servers/{name}"), "get-v0-1-servers-name");
    }
}
