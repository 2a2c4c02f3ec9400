//! `list`: what all registries list together, once, as a table or as the API has it.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::output::{HEADER, hint, note, report, show, styled, unless_nobody_reads};
use super::table::{clean, cut, line, terminal_width, widths};
use super::{Failure, entries, fetch};
use crate::catalog::page::{Filter, VersionFilter};
use crate::catalog::{Catalog, Version};
use crate::config::Config;

/// The widest that a column is made for one of its cells.
const MAX_COLUMN: usize = 48;
/// The least that is shown of a description, however narrow the terminal.
const MIN_DESCRIPTION: usize = 16;

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only servers that have this text in their name, title or description; letter case is ignored
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,

    /// Print one JSON document, in the form of the API: {"servers":[…],"metadata":{"count"}}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: Config, command: List) -> Result<ExitCode, Failure> {
    let Some(catalog) = fetch::catalog(&config).await? else {
        report("nothing could be fetched, so there is nothing to list");
        hint("`mcp-registry-proxy test` says what is wrong with each registry");
        return Ok(ExitCode::FAILURE);
    };
    let filter = Filter { search: command.search.map(Into::into), version: VersionFilter::Latest, ..Filter::default() };
    let found = catalog.page(&filter, None, usize::MAX).versions;
    if command.json {
        let mut output = BufWriter::new(std::io::stdout().lock());
        let written = entries::document(&mut output, found.iter().copied()).and_then(|()| output.flush());
        unless_nobody_reads(written)?;
    } else {
        show(&table(&catalog, &found, terminal_width()))?;
        note(&format!("{} server{}", found.len(), if found.len() == 1 { "" } else { "s" }));
    }
    Ok(ExitCode::SUCCESS)
}

fn table(catalog: &Catalog, found: &[&Version], columns: Option<usize>) -> String {
    let mut rows = vec![["NAME".to_owned(), "VERSION".to_owned(), "REGISTRY".to_owned(), "DESCRIPTION".to_owned()]];
    rows.extend(found.iter().map(|version| row(catalog, version)));
    let widths = widths(&rows, MAX_COLUMN);
    let room = columns.map(|columns| columns.saturating_sub(widths[..3].iter().map(|width| width + 2).sum()));
    let mut text = String::new();
    for (index, mut row) in rows.into_iter().enumerate() {
        if let Some(room) = room {
            row[3] = cut(&row[3], room.max(MIN_DESCRIPTION));
        }
        let line = line(&row, widths);
        let _ = writeln!(text, "{}", if index == 0 { styled(HEADER, line) } else { line });
    }
    text
}

fn row(catalog: &Catalog, version: &Version) -> [String; 4] {
    let server: Value = serde_json::from_str(&version.entry.server()).unwrap_or_default();
    let text = |key: &str| server[key].as_str().unwrap_or_default();
    let registry = catalog.registries.get(version.registry).map(|registry| &*registry.rules.name);
    let status = version.entry.status().as_str();
    let description = match status {
        "active" => text("description").to_owned(),
        status => format!("({status}) {}", text("description")),
    };
    [text("name"), version.entry.version(), registry.unwrap_or_default(), &description].map(clean)
}
