//! TOML's `registries = [{ … }]`: texts are cut out and put in, so that everything between the elements stays where it
//! is, comments above all. What stands behind an element's comma, up to the end of the line, is that element's.

use std::ops::Range;

use toml_edit::{Array, InlineTable, Value};

use super::{Change, Refusal, Syntax, lines, position};

const NO_PLACE: Refusal = "has registries without a place";

pub(super) fn edit(text: &str, array: &Array, change: Change<'_>) -> Result<String, Refusal> {
    let whole = array.span().ok_or(NO_PLACE)?;
    let elements: Option<Vec<Range<usize>>> = array.iter().map(Value::span).collect();
    let elements = elements.ok_or(NO_PLACE)?;
    match change {
        Change::Remove { name } => Ok(without(text, &elements, position(text, Syntax::Toml, name)?)),
        Change::Add { name, url } => {
            let mut table = InlineTable::new();
            table.insert("name", name.into());
            table.insert("url", url.into());
            Ok(with(text, whole.end - 1, &elements, &table.to_string()))
        }
    }
}

/// The text with a last element; `close` is where the bracket is that ends the list.
fn with(text: &str, close: usize, elements: &[Range<usize>], element: &str) -> String {
    let end = lines::end_of(text);
    let insert = |at: usize, what: &str| format!("{}{what}{}", &text[..at], &text[at..]);
    // The beginning of the bracket's own line, if it has one.
    let own_line = |from: usize| {
        let line = text[..close].rfind('\n').map(|newline| newline + 1).filter(|line| *line > from)?;
        text[line..close].trim().is_empty().then_some(line)
    };
    let Some(last) = elements.last() else {
        let open = text[..close].rfind('[').unwrap_or(close);
        return match own_line(open) {
            Some(line) => insert(line, &format!("{}  {element},{end}", &text[line..close])),
            None => insert(close, element),
        };
    };
    let (line, is_first) = line_of(text, last.start);
    let indentation = &text[line..][..text[line..].len() - text[line..].trim_start_matches([' ', '\t']).len()];
    let indentation = if is_first { indentation.to_owned() } else { format!("{indentation}  ") };
    let comma = comma_after(text, last.end, close);
    let (separator, is_ended) = if comma.is_some() { ("", ",") } else { (",", "") };
    if let Some(line) = own_line(last.end) {
        let between = &text[last.end..line];
        return format!(
            "{}{separator}{between}{indentation}{element}{is_ended}{end}{}",
            &text[..last.end],
            &text[line..]
        );
    }
    let gap = if is_first { format!("{end}{indentation}") } else { " ".to_owned() };
    insert(comma.map_or(last.end, |comma| comma + 1), &format!("{separator}{gap}{element}{is_ended}"))
}

/// The text without an element.
fn without(text: &str, elements: &[Range<usize>], index: usize) -> String {
    let own = &elements[index];
    let close = text.len();
    let rest = comma_after(text, own.end, close).map_or(own.end, |comma| comma + 1);
    let line_end = text[rest..].find('\n').map_or(text.len(), |length| rest + length);
    let is_last_of_line = is_nothing_or_comment(&text[rest..line_end]);
    if line_of(text, own.start).1 && is_last_of_line {
        return lines::without(text, lines::number_at(text, own.start)..lines::number_at(text, rest) + 1, 0);
    }
    let is_beside = |from: usize, to: usize| !text[from..to].contains('\n');
    let before = index.checked_sub(1).map(|index| &elements[index]).filter(|other| is_beside(other.end, own.start));
    let gone = match (elements.get(index + 1).filter(|other| is_beside(own.end, other.start)), before) {
        (Some(next), _) => own.start..next.start,
        (None, Some(previous)) => previous.end..own.end,
        // The comment that ends its line is about it.
        (None, None) if is_last_of_line => own.start..text[..line_end].trim_end().len().max(rest),
        (None, None) => own.start..rest,
    };
    format!("{}{}", &text[..gone.start], &text[gone.end..])
}

/// Where the line of a byte begins, and whether nothing but space is before the byte.
fn line_of(text: &str, byte: usize) -> (usize, bool) {
    let line = text[..byte].rfind('\n').map_or(0, |newline| newline + 1);
    (line, text[line..byte].trim().is_empty())
}

fn is_nothing_or_comment(text: &str) -> bool {
    lines::is_blank(text) || lines::is_comment(text)
}

/// The comma behind an element, which comments may stand before.
fn comma_after(text: &str, end: usize, close: usize) -> Option<usize> {
    let mut is_comment = false;
    for (at, byte) in text.as_bytes().iter().enumerate().take(close).skip(end) {
        match byte {
            b'\n' => is_comment = false,
            b'#' => is_comment = true,
            b',' if !is_comment => return Some(at),
            byte if !is_comment && !byte.is_ascii_whitespace() => return None,
            _ => {}
        }
    }
    None
}
