//! Whole lines of a text in which `#` begins a comment: what TOML and YAML have in common.

use std::ops::Range;

/// The lines, each with its end.
pub(super) fn of(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

pub(super) fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

pub(super) fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The number of the line that a byte stands in.
pub(super) fn number_at(text: &str, byte: usize) -> usize {
    text.get(..byte).unwrap_or_default().matches('\n').count()
}

/// How many columns a line begins with that are empty.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// What this text ends its lines with.
pub(super) fn end_of(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// Where an item ends, with the comments right below it that are its own: what another item would make its own, if it
/// were put above them. Those that stand just as close to what follows are its own as far as they are keys that are
/// commented out.
pub(super) fn with_own_comments(text: &str, end: usize) -> usize {
    let lines = of(text);
    let below = lines[end..].iter().take_while(|line| is_comment(line)).count();
    if lines.get(end + below).is_none_or(|line| is_blank(line)) {
        return end + below;
    }
    let last_key = lines[end..end + below].iter().rposition(|line| line.contains('='));
    last_key.map_or(end, |last| end + last + 1)
}

/// The text without these lines, and without the comments that stand right above and below them, unless those stand
/// just as close to something else: a comment that may be a neighbour's stays, and so does what the file ends with.
/// Below, a comment is the item's from a column on.
pub(super) fn without(text: &str, item: Range<usize>, column: usize) -> String {
    let lines = of(text);
    let Range { start: mut from, end: mut to } = item;
    let above = lines[..from].iter().rev().take_while(|line| is_comment(line)).count();
    // Those that the file begins with are about the file.
    if above < from && is_blank(lines[from - above - 1]) {
        from -= above;
    }
    let is_own = |line: &&&str| is_comment(line) && indentation(line) >= column;
    let below = lines[to..].iter().take_while(is_own).count();
    if lines.get(to + below).is_some_and(|line| is_blank(line)) {
        to += below;
    }
    // Of two gaps one stays, and none at the end.
    if from == 0 || is_blank(lines[from - 1]) {
        to += lines[to..].iter().take_while(|line| is_blank(line)).count();
    }
    if to == lines.len() {
        from -= lines[..from].iter().rev().take_while(|line| is_blank(line)).count();
    }
    lines[..from].iter().chain(&lines[to..]).copied().collect()
}

/// The text with a block after so many lines, in the text's own kind of line ends.
pub(super) fn with(text: &str, after: usize, block: &str) -> String {
    let lines = of(text);
    let (before, rest) = lines.split_at(after);
    let mut edited: String = before.concat();
    let end = end_of(text);
    if !edited.is_empty() && !edited.ends_with('\n') {
        edited += end;
    }
    edited += &block.replace('\n', end);
    edited + &rest.concat()
}
