//! `validate`: whether the servers in clients' configuration files are those of the registries.

mod sarif;
mod table;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;
use url::Url;

use super::{Failure, fetch, output};
use crate::config::{Config, ConfigError};
use crate::inspect::validate::{Configured, Judged, Lookup, MAX_INPUT_BYTES, Report, Syntax, read};
use crate::registry::{Network, peer};

/// How long a proxy may take to answer.
const TIMEOUT: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Configuration files of MCP clients, a server.json, or lists of names; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Ask a running proxy in place of the configured registries; it is sent runner, package, version and URL only
    #[arg(long, value_name = "PROXY")]
    url: Option<String>,

    /// How verdicts are printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A line for each server
    Table,
    /// What `POST /validate` answers, with the file of each server
    Json,
    /// SARIF 2.1.0, as code scanning reads it
    Sarif,
}

/// A file that was read.
struct Input {
    name: String,
    servers: Vec<Configured>,
}

/// A verdict, and the file that the server stands in.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    #[serde(flatten)]
    judged: Judged,
}

pub(super) async fn run(config: Config, command: Validate) -> Result<ExitCode, Failure> {
    let inputs = command.files.iter().map(|file| open(file)).collect::<Result<Vec<_>, _>>()?;
    for Input { name, .. } in inputs.iter().filter(|input| input.servers.is_empty()) {
        output::warn(&format!("{name} configures no servers"));
    }
    let reports = if let Some(proxy) = &command.url {
        ask(&config, proxy, &inputs).await?
    } else {
        let catalog = fetch::catalog(&config).await?;
        let catalog = catalog.ok_or_else(|| Failure::Unavailable("no registry could be asked".to_owned()))?;
        let lookup = Lookup::new(&catalog);
        inputs.iter().map(|input| lookup.validate(&catalog, &input.servers)).collect()
    };
    let mut results = Vec::new();
    for (input, report) in inputs.iter().zip(reports) {
        results.extend(report.results.into_iter().map(|judged| Checked { file: input.name.clone(), judged }));
    }
    let summary = Report::new(results.iter().map(|result| result.judged.clone()).collect());
    match command.format {
        Format::Table => output::show(&table::render(&results))?,
        Format::Json => {
            let body = serde_json::json!({ "results": results, "metadata": summary.metadata });
            output::print(&format!("{body:#}\n"))?;
        }
        Format::Sarif => output::print(&sarif::render(&results))?,
    }
    Ok(if summary.has_findings() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Reads a file. What is wrong with it is said without a word of what stands in it.
fn open(path: &Path) -> Result<Input, Failure> {
    let name = path.display().to_string();
    let problem = |problem: String| Failure::Unreadable(format!("{name} {problem}"));
    let mut bytes = Vec::new();
    let most = MAX_INPUT_BYTES as u64 + 1;
    let read_all = if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read_all.map_err(|error| problem(format!("cannot be read: {error}")))?;
    if MAX_INPUT_BYTES < bytes.len() {
        return Err(problem(format!("has more than {MAX_INPUT_BYTES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| problem("is not UTF-8".to_owned()))?;
    let syntax = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => Syntax::Toml,
        Some("json" | "jsonc") => Syntax::Json,
        _ => Syntax::Any,
    };
    let servers = read(&text, syntax).map_err(|error| problem(error.to_string()))?;
    Ok(Input { name, servers })
}

/// Has a proxy judge what is not secret of the files.
async fn ask(config: &Config, proxy: &str, inputs: &[Input]) -> Result<Vec<Report>, Failure> {
    let url = endpoint(proxy)?;
    let network = Network::new(&config.network)
        .map_err(|(key, problem)| ConfigError::of_key(&format!("network.{key}"), &problem))?;
    let mut reports = Vec::new();
    for Input { servers, .. } in inputs {
        let reduced: Vec<_> = servers.iter().map(Configured::sent).collect();
        let body = serde_json::json!({ "configured": reduced }).to_string().into_bytes();
        let unavailable = |problem: String| Failure::Unavailable(format!("the proxy could not be asked: {problem}"));
        let answer = peer::post(&network, &url, body, TIMEOUT).await.map_err(|error| unavailable(error.to_string()))?;
        let report: Option<Report> = serde_json::from_slice(&answer).ok();
        let report = report.filter(|report| report.results.len() == servers.len());
        let report = report.ok_or_else(|| unavailable("its answer is not one of this program's".to_owned()))?;
        let results = report.results.into_iter().zip(servers).map(|(judged, server)| judged.completed(server));
        reports.push(Report::new(results.collect()));
    }
    Ok(reports)
}

/// Where a proxy takes what is to be validated.
fn endpoint(proxy: &str) -> Result<Url, ConfigError> {
    let parsed = Url::parse(proxy).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url =
        parsed.ok_or_else(|| ConfigError::of_key("--url", "is not the URL of a proxy; write http://host:port"))?;
    url.set_query(None);
    url.set_fragment(None);
    let path = format!("{}/validate", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_asked_where_it_answers() {
        let asked = |proxy: &str| endpoint(proxy).map(|url| url.to_string()).ok();
        assert_eq!(asked("http://127.0.0.1:8080").as_deref(), Some("http://127.0.0.1:8080/validate"));
        assert_eq!(asked("https://a.example/mcp/?x=1").as_deref(), Some("https://a.example/mcp/validate"));
        assert_eq!(asked("a.example"), None);
        assert_eq!(asked("file:///x"), None);
    }
}
