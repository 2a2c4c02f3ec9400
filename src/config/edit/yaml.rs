//! YAML, line by line: a list in block style, `- name: …` under `registries:`, which is how people write it.
//!
//! The crates that edit YAML and keep comments bring a C grammar or are young; and what they make would have to be
//! checked by parsing it all the same. What is not in block style is refused.

use std::iter;
use std::ops::Range;

use figment::value::Value;

use super::lines::{self, indentation};
use super::{Change, REGISTRIES, Refusal, Syntax, parsed, position};

const KEY: &str = "registries:";
const OTHER_STYLE: Refusal = "does not write its registries as a list in block style (`- name: …`)";

pub(super) fn edit(text: &str, change: Change<'_>) -> Result<String, Refusal> {
    let lines = lines::of(text);
    let head = lines.iter().position(|line| line.starts_with(KEY));
    match change {
        Change::Remove { name } => {
            let position = position(text, Syntax::Yaml, name)?;
            let list = List::find(&lines, head.ok_or(OTHER_STYLE)?)?;
            // What begins in the first column is not about one item.
            Ok(lines::without(text, list.items.get(position).ok_or(OTHER_STYLE)?.clone(), 1))
        }
        Change::Add { name, url } => match head {
            None => Ok(lines::with(text, lines.len(), &block("  ", name, url, &format!("{KEY}\n")))),
            Some(head) if lists_nothing(text) => {
                let comment = empty_list(lines[head]).ok_or(OTHER_STYLE)?;
                let gap = if comment.is_empty() { "" } else { " " };
                let without: String = lines[..head].iter().chain(&lines[head + 1..]).copied().collect();
                Ok(lines::with(&without, head, &block("  ", name, url, &format!("{KEY}{gap}{comment}\n"))))
            }
            Some(head) => {
                let list = List::find(&lines, head)?;
                let end = list.items.last().ok_or(OTHER_STYLE)?.end;
                let is_spread = list
                    .items
                    .windows(2)
                    .any(|pair| lines[pair[0].end..pair[1].start].iter().any(|line| lines::is_blank(line)));
                let gap = if is_spread { "\n" } else { "" };
                Ok(lines::with(text, end, &block(&" ".repeat(list.indentation), name, url, gap)))
            }
        },
    }
}

fn block(indentation: &str, name: &str, url: &str, before: &str) -> String {
    // What JSON quotes, YAML understands.
    let [name, url] = [name, url].map(|text| serde_json::Value::from(text).to_string());
    format!("{before}{indentation}- name: {name}\n{indentation}  url: {url}\n")
}

/// Whether there is the key, and nothing in its list.
fn lists_nothing(text: &str) -> bool {
    let dict = parsed(text, Syntax::Yaml).unwrap_or_default();
    match dict.get(REGISTRIES.name) {
        Some(Value::Empty(..)) => true,
        Some(list) => list.as_array().is_some_and(<[_]>::is_empty),
        None => false,
    }
}

/// The comment behind a list that is written as empty in one line.
fn empty_list(line: &str) -> Option<&str> {
    let rest = line.strip_prefix(KEY)?.trim();
    let (list, comment) = rest.split_at(rest.find('#').unwrap_or(rest.len()));
    matches!(list.trim_end(), "" | "[]" | "~" | "null").then_some(comment)
}

/// A list in block style.
struct List {
    /// The column of the dashes.
    indentation: usize,
    /// The lines of each item.
    items: Vec<Range<usize>>,
}

impl List {
    fn find(lines: &[&str], head: usize) -> Result<Self, Refusal> {
        let rest = lines[head][KEY.len()..].trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(OTHER_STYLE);
        }
        let says_something = |line: &str| !lines::is_blank(line) && !lines::is_comment(line);
        let speaking = (head + 1..lines.len()).filter(|number| says_something(lines[*number]));
        let mut list: Option<Self> = None;
        for number in speaking {
            let (line, column) = (lines[number], indentation(lines[number]));
            let begins = matches!(line.trim_start().as_bytes(), [b'-', b' ' | b'\n' | b'\r', ..]);
            match &mut list {
                None if begins => {
                    list = Some(Self { indentation: column, items: iter::once(number..number + 1).collect() });
                }
                None => return Err(OTHER_STYLE),
                Some(list) if column < list.indentation => break,
                Some(list) if column == list.indentation && begins => list.items.push(number..number + 1),
                Some(list) if column == list.indentation => break,
                Some(list) => {
                    if let Some(item) = list.items.last_mut() {
                        item.end = number + 1;
                    }
                }
            }
        }
        let mut list = list.ok_or(OTHER_STYLE)?;
        list.take_what_is_indented(lines);
        Ok(list)
    }

    /// What looks like a comment below an item is the item's, if it stands as far to the right: it may be the end of a
    /// text, in which lines may be empty.
    fn take_what_is_indented(&mut self, lines: &[&str]) {
        for item in &mut self.items {
            let is_own = |line: &str| lines::is_comment(line) && indentation(line) > self.indentation;
            let rest = &lines[item.end..];
            let passed = rest.iter().take_while(|line| lines::is_blank(line) || is_own(line)).count();
            item.end += rest[..passed].iter().rposition(|line| is_own(line)).map_or(0, |last| last + 1);
        }
    }
}
