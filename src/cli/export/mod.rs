//! `export`: the merged catalog as something that lasts without the proxy: lines, a tree of files that any web host
//! can serve as a registry, or the allow-lists that clients read. Everything is fetched anew, once; what could not be
//! fetched whole is left out, and said.

mod allowed;
mod directory;
mod tree;

use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use url::Url;

use super::output::{hint, report, unless_nobody_reads, warn};
use super::{Failure, entries, fetch};
use crate::catalog::Catalog;
use crate::config::{Config, ConfigError};

pub(super) use directory::Problem;
use directory::Staging;

/// The file of the lines.
const LINES: &str = "catalog.ndjson";

#[derive(Debug, Args)]
pub(super) struct Export {
    /// What is written
    #[arg(long, value_enum)]
    format: Format,

    /// The base URL at which clients find the registry, for the policies that name it (managed-settings)
    #[arg(long, value_name = "URL", value_parser = registry_url)]
    registry_url: Option<Url>,

    /// Where to; without it, to standard output. Replaced as a whole if an export made it
    #[arg(value_name = "DIR", required_if_eq("format", "static"))]
    directory: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Every entry as it is served, one a line
    Ndjson,
    /// A tree of files that a web host can serve as a registry
    Static,
    /// The allow-lists of clients: Claude Code, and with --registry-url VS Code
    ManagedSettings,
}

pub(super) async fn run(config: Config, command: Export) -> Result<ExitCode, Failure> {
    let Export { format, registry_url, directory } = command;
    if registry_url.is_some() && (format != Format::ManagedSettings || directory.is_none()) {
        let problem = "names the registry in policies; it needs `--format managed-settings` and a directory";
        return Err(ConfigError::of_key("--registry-url", problem).into());
    }
    // Before anything is fetched: a directory that cannot be written to shall cost nobody a walk.
    let staging = directory.as_deref().map(Staging::begin).transpose()?;
    let Some(catalog) = fetch::catalog(&config).await? else {
        report("nothing could be fetched, so nothing is exported");
        hint("`mcp-registry-proxy test` says what is wrong with each registry");
        return Ok(ExitCode::FAILURE);
    };
    match staging {
        Some(staging) => {
            write_files(&catalog, format, registry_url.as_ref(), &staging)?;
            staging.finish()?;
        }
        None => unless_nobody_reads(write_output(&catalog, format))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_files(
    catalog: &Catalog,
    format: Format,
    registry_url: Option<&Url>,
    staging: &Staging,
) -> Result<(), Problem> {
    match format {
        Format::Ndjson => staging.write(LINES, |out| entries::lines(out, catalog))?,
        Format::Static => {
            for left_out in tree::write(catalog, staging)? {
                warn(&left_out);
            }
        }
        Format::ManagedSettings => {
            let allowed = allowed::of(catalog);
            warn_of(&allowed);
            staging.write(allowed::CLAUDE_CODE, |out| out.write_all(allowed.claude_code().as_bytes()))?;
            if let Some(url) = registry_url {
                staging.write(allowed::VS_CODE, |out| out.write_all(allowed::vs_code(url).as_bytes()))?;
            }
        }
    }
    Ok(())
}

fn write_output(catalog: &Catalog, format: Format) -> std::io::Result<()> {
    let mut output = BufWriter::new(std::io::stdout().lock());
    match format {
        // The command line wants a directory for a tree.
        Format::Ndjson | Format::Static => entries::lines(&mut output, catalog)?,
        Format::ManagedSettings => {
            let allowed = allowed::of(catalog);
            warn_of(&allowed);
            output.write_all(allowed.claude_code().as_bytes())?;
        }
    }
    output.flush()
}

fn warn_of(allowed: &allowed::Allowed) {
    for (name, reason) in allowed.left_out() {
        warn(&format!("`{name}` is not in the allow-list: {reason}"));
    }
}

/// What clients append the API's paths to.
fn registry_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let is_plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    if matches!(url.scheme(), "http" | "https") && is_plain && url.password().is_none() {
        Ok(url)
    } else {
        Err("it must be http:// or https://, without user, query and fragment".to_owned())
    }
}
