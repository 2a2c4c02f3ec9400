//! TOML: the parser says in which bytes each table stands.

use std::ops::Range;

use toml_edit::{DocumentMut, ImDocument, InlineTable, Item, Table, Value};

use super::{Change, Refusal, Syntax, lines, position};

const KEY: &str = "registries";

pub(super) fn edit(text: &str, change: Change<'_>) -> Result<String, Refusal> {
    let document = ImDocument::parse(text).map_err(|_| "is not TOML")?;
    match document.as_table().get(KEY) {
        None | Some(Item::ArrayOfTables(_)) => edit_tables(text, document.as_table(), change),
        Some(Item::Value(Value::Array(_))) => edit_array(text, change),
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
            Ok(lines::without(text, extent(text, table, &all)?))
        }
        Change::Add { name, url } => {
            let end = match tables.last() {
                Some(last) => extent(text, last, &all)?.end,
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

/// `registries = [{ … }]`.
fn edit_array(text: &str, change: Change<'_>) -> Result<String, Refusal> {
    let mut document: DocumentMut = text.parse().map_err(|_| "is not TOML")?;
    let array = document.get_mut(KEY).and_then(Item::as_array_mut).ok_or("has `registries` that are no list")?;
    match change {
        Change::Remove { name } => {
            array.remove(position(text, Syntax::Toml, name)?);
        }
        Change::Add { name, url } => {
            let before = array.iter().last().and_then(|last| last.decor().prefix()?.as_str()).unwrap_or_default();
            // A comment before the last one is not about this one.
            let prefix = match before.rsplit_once('\n') {
                Some((_, indentation)) => format!("\n{indentation}"),
                None if array.is_empty() => String::new(),
                None => " ".to_owned(),
            };
            let mut table = InlineTable::new();
            table.insert("name", name.into());
            table.insert("url", url.into());
            array.push_formatted(Value::InlineTable(table).decorated(prefix, ""));
        }
    }
    // It ends lines in its own way.
    let edited = document.to_string();
    Ok(if text.contains("\r\n") { edited.replace("\r\n", "\n").replace('\n', "\r\n") } else { edited })
}
