//! TOML: the parser says in which bytes each table stands.

use std::ops::Range;

use toml_edit::{ImDocument, Item, Table, Value};

use super::{Change, Refusal, Syntax, array, lines, position};

const KEY: &str = "registries";

pub(super) fn edit(text: &str, change: Change<'_>) -> Result<String, Refusal> {
    let document = ImDocument::parse(text).map_err(|_| "is not TOML")?;
    match document.as_table().get(KEY) {
        None | Some(Item::ArrayOfTables(_)) => edit_tables(text, document.as_table(), change),
        Some(Item::Value(Value::Array(list))) => array::edit(text, list, change),
        Some(_) => Err("has `registries` that are no list"),
    }
}

/// `[[registries]]`, each with its own header.
fn edit_tables(text: &str, root: &Table, change: Change<'_>) -> Result<String, Refusal> {
    let mut all = Vec::new();
    spans(root, &mut all);
    let tables = root.get(KEY).and_then(Item::as_array_of_tables);
    let tables: Vec<&Table> = tables.into_iter().flatten().collect();
    match change {
        Change::Remove { name } => {
            let position = position(text, Syntax::Toml, name)?;
            let table = tables.get(position).ok_or("does not list it")?;
            Ok(lines::without(text, extent(text, table, &all)?, 0))
        }
        Change::Add { name, url } => {
            let end = match tables.last() {
                Some(last) => lines::with_own_comments(text, extent(text, last, &all)?.end),
                None => lines::of(text).len(),
            };
            let gap = if text.trim().is_empty() { "" } else { "\n" };
            let [name, url] = [name, url].map(|text| Value::from(text).to_string());
            Ok(lines::with(text, end, &format!("{gap}[[{KEY}]]\nname = {name}\nurl = {url}\n")))
        }
    }
}

/// The bytes of all tables that have a header.
fn spans(table: &Table, found: &mut Vec<Range<usize>>) {
    found.extend(table.span().filter(|span| !span.is_empty() && !table.is_implicit() && !table.is_dotted()));
    for (_, item) in table {
        match item {
            Item::Table(table) => spans(table, found),
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| spans(table, found)),
            _ => {}
        }
    }
}

/// The lines of a registry, with the tables below it.
fn extent(text: &str, table: &Table, all: &[Range<usize>]) -> Result<Range<usize>, Refusal> {
    let mut own = Vec::new();
    spans(table, &mut own);
    let start = own.iter().map(|span| span.start).min().ok_or("has a registry without a place")?;
    let end = own.iter().map(|span| span.end).max().ok_or("has a registry without a place")?;
    if all.iter().any(|span| start < span.start && span.start < end && !own.contains(span)) {
        return Err("has other tables between those of one registry");
    }
    Ok(lines::number_at(text, start)..lines::number_at(text, end) + 1)
}
