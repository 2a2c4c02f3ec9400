//! `add` and `remove`: the list of registries in the configuration file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use tokio::sync::Notify;

use super::output::{hint, report, show, warn};
use super::{Failure, test};
use crate::app;
use crate::config::edit::{Change, Edit, edit};
use crate::config::{Config, Flags};
use crate::registry::OwnIds;

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The registry's name: lower-case letters, digits, `.`, `_` and `-`
    name: String,

    /// Its list, an API root (…/v0.1), or a base URL
    url: String,

    /// Add it even if it fails its test
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The registry's name
    name: String,
}

/// Tests the registry as the file would have it, and writes the file if it passes.
pub(super) async fn add(files: &[PathBuf], flags: &Flags, command: &Add) -> Result<ExitCode, Failure> {
    let edit = edit(files, flags, Change::Add { name: &command.name, url: &command.url })?;
    let passed = passes(edit.config(), &command.name).await?;
    match (passed, command.force) {
        (true, _) => {}
        (false, true) => warn(&format!("`{}` fails its test, and is added all the same", command.name)),
        (false, false) => {
            report(&format!("`{}` fails its test, so {} stays as it was", command.name, edit.path().display()));
            hint("--force adds it all the same; it is dropped until it passes");
            return Ok(ExitCode::FAILURE);
        }
    }
    finish(&edit, &format!("Added `{}` to {}", command.name, edit.path().display()))
}

/// Removes the registry.
pub(super) fn remove(files: &[PathBuf], flags: &Flags, command: &Remove) -> Result<ExitCode, Failure> {
    let edit = edit(files, flags, Change::Remove { name: &command.name })?;
    finish(&edit, &format!("Removed `{}` from {}", command.name, edit.path().display()))
}

fn finish(edit: &Edit, done: &str) -> Result<ExitCode, Failure> {
    edit.write()?;
    show(&format!("{done}. A proxy that runs with this file takes the change at once.\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the last registry, which is the new one, passes Test Connection. Says how.
async fn passes(config: &Config, name: &str) -> Result<bool, Failure> {
    let own_ids = OwnIds::of(app::known_id(config).await);
    let mut config = config.clone();
    config.registries.retain(|registry| registry.name == name);
    let registries = app::registries(&config, &own_ids, &Arc::new(Notify::new()))?;
    let results = test::test_all(&registries).await;
    show(&test::to_text(&results))?;
    Ok(results.iter().all(|result| result.ok))
}
