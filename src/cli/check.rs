//! `check`: whether `serve` would take the configuration, found out without a port or a request.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde_json::json;
use tokio::sync::Notify;

use super::output::{ASIDE, GOOD, print, show, styled, warn};
use super::table::{line, widths};
use super::{EXIT_USAGE, Failure};
use crate::app;
use crate::catalog::MergeMode;
use crate::config::{self, Config, Flags, Loaded};
use crate::registry::{OwnIds, Registry};
use crate::serve::AdminListen;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Print one JSON document: whether it is valid, the errors, the warnings, listeners and registries
    #[arg(long)]
    json: bool,
}

pub(super) fn run(files: &[PathBuf], flags: &Flags, command: &Check) -> Result<ExitCode, Failure> {
    let checked = checked(files, flags);
    if !command.json {
        let (loaded, registries) = checked?;
        loaded.warnings().iter().for_each(|warning| warn(warning));
        show(&summary(files, &loaded.config, &registries))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (document, code) = match checked {
        Ok((loaded, registries)) => (valid(&loaded, &registries), ExitCode::SUCCESS),
        Err(failure) => {
            let errors: Vec<String> = failure.to_string().lines().map(str::to_owned).collect();
            let document =
                json!({ "valid": false, "errors": errors, "warnings": [], "listeners": null, "registries": [] });
            (document, ExitCode::from(EXIT_USAGE))
        }
    };
    print(&format!("{document:#}\n"))?;
    Ok(code)
}

/// Everything that `serve` does with a configuration before it binds its addresses.
fn checked(files: &[PathBuf], flags: &Flags) -> Result<(Loaded, Vec<Arc<Registry>>), Failure> {
    let loaded = config::load(files, flags)?;
    let registries = app::registries(&loaded.config, &OwnIds::of(None), &Arc::new(Notify::new()))?;
    Ok((loaded, registries))
}

fn valid(loaded: &Loaded, registries: &[Arc<Registry>]) -> serde_json::Value {
    let [public, admin] = listeners(&loaded.config);
    let registries: Vec<_> =
        registries.iter().map(|registry| json!({ "name": registry.name(), "url": registry.url() })).collect();
    json!({
        "valid": true,
        "errors": [],
        "warnings": loaded.warnings(),
        "listeners": { "public": public, "admin": admin },
        "registries": registries,
    })
}

/// The addresses of the public listener and of the admin listener.
fn listeners(config: &Config) -> [Option<String>; 2] {
    let scheme = if config.server.is_encrypted() { "https" } else { "http" };
    let public = format!("{scheme}://{}", config.server.listen);
    let admin = match config.admin.listen() {
        AdminListen::At(address) => Some(format!("http://{address}")),
        AdminListen::Off => None,
    };
    [Some(public), admin]
}

fn summary(files: &[PathBuf], config: &Config, registries: &[Arc<Registry>]) -> String {
    let named = match files {
        [] => "the one that is built in".to_owned(),
        files => files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "),
    };
    let mut text = format!("{} ({named})\n\n", styled(GOOD, "The configuration is valid"));
    let [public, admin] = listeners(config).map(|address| address.unwrap_or_else(|| "off".to_owned()));
    let store = config.store.directory().map_or_else(|| "off".to_owned(), |path| path.display().to_string());
    let merge = match config.catalog.merge {
        MergeMode::Union => "union",
        MergeMode::First => "first",
    };
    for (what, value) in [("public listener", public), ("admin listener", admin), ("store", store)] {
        let _ = writeln!(text, "{what:<16} {value}");
    }
    let _ = writeln!(text, "{:<16} {}, merged by `{merge}`", "registries", registries.len());
    let rows: Vec<_> = registries.iter().map(|registry| [registry.name().to_owned(), registry.url()]).collect();
    let widths = widths(&rows, usize::MAX);
    for row in &rows {
        let _ = writeln!(text, "  {}", styled(ASIDE, line(row, widths)));
    }
    text
}
