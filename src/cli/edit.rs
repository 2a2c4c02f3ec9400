//! `add` and `remove`: the list of registries in the configuration file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::sync::Notify;

use super::output::{hint, print, report, show, warn};
use super::test::TestResult;
use super::{Failure, start_logging, test};
use crate::app;
use crate::config::edit::{Change, Edit, edit};
use crate::config::{Config, Flags};
use crate::registry::OwnIds;

/// What becomes of a change.
const AT_ONCE: &str = "A proxy that runs with this file takes the change at once.";

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The registry's name: lower-case letters, digits, `.`, `_` and `-`
    name: String,

    /// Its list, an API root (…/v0.1), or a base URL
    url: String,

    /// Add it even if it fails its test
    #[arg(long)]
    force: bool,

    /// Print one JSON document: {"added","file","registry"}, with the stages of its test
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The registry's name
    name: String,

    /// Print one JSON document: {"removed","file","name"}
    #[arg(long)]
    json: bool,
}

/// Tests the registry as the file would have it, and writes the file if it passes.
pub(super) async fn add(files: &[PathBuf], flags: &Flags, command: &Add) -> Result<ExitCode, Failure> {
    let edit = edit(files, flags, Change::Add { name: &command.name, url: &command.url })?;
    start_logging(edit.loaded());
    warn_of_secrets(&edit);
    let (name, file) = (&command.name, edit.path().display().to_string());
    let results = tested(&edit.loaded().config, name).await?;
    if !command.json {
        show(&test::to_text(&results))?;
    }
    let passed = results.iter().all(|result| result.ok);
    if passed || command.force {
        if !passed {
            warn(&format!("`{name}` fails its test, and is added all the same"));
        }
        edit.write()?;
    } else {
        report(&format!("`{name}` fails its test, so {file} stays as it was"));
        hint("--force adds it all the same; it is dropped until it passes");
    }
    let is_added = passed || command.force;
    if command.json {
        let document = json!({ "added": is_added, "file": file, "registry": results.first() });
        print(&format!("{document:#}\n"))?;
    } else if is_added {
        show(&format!("Added `{name}` to {file}. {AT_ONCE}\n"))?;
    }
    Ok(if is_added { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Removes the registry.
pub(super) fn remove(files: &[PathBuf], flags: &Flags, command: &Remove) -> Result<ExitCode, Failure> {
    let edit = edit(files, flags, Change::Remove { name: &command.name })?;
    start_logging(edit.loaded());
    warn_of_secrets(&edit);
    edit.write()?;
    let (name, file) = (&command.name, edit.path().display().to_string());
    if command.json {
        print(&format!("{:#}\n", json!({ "removed": true, "file": file, "name": name })))?;
    } else {
        show(&format!("Removed `{name}` from {file}. {AT_ONCE}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The secrets of other registries may be where the proxy runs, and not here.
fn warn_of_secrets(edit: &Edit) {
    for line in edit.absent_secrets().map(ToString::to_string).unwrap_or_default().lines() {
        warn(line);
    }
}

/// The new registry's Test Connection.
async fn tested(config: &Config, name: &str) -> Result<Vec<TestResult>, Failure> {
    let own_ids = OwnIds::of(app::known_id(config).await);
    let mut config = config.clone();
    config.registries.retain(|registry| registry.name == name);
    let registries = app::registries(&config, &own_ids, &Arc::new(Notify::new()))?;
    Ok(test::test_all(&registries).await)
}
