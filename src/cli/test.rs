//! `test`: Test Connection for configured registries, or for a URL that is not configured.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Failure;
use super::output::{BAD, GOOD, HEADER, print, show, styled};
use super::table::clean;
use crate::app;
use crate::config::{Config, ConfigError};
use crate::registry::config::Config as RegistryConfig;
use crate::registry::probe::{Check, StageView};
use crate::registry::{OwnIds, Registry};

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The registries to test; all, where none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,

    /// Test this URL in place of the configured registries
    #[arg(long, value_name = "URL", conflicts_with = "names")]
    url: Option<String>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(mut config: Config, command: Test) -> Result<ExitCode, Failure> {
    // Of all that is configured, as `serve` has it, whatever is tested of it.
    let own_ids = OwnIds::of(app::known_id(&config).await);
    select(&mut config, &command)?;
    let registries = app::registries(&config, &own_ids, &Arc::new(Notify::new()))?;
    let results = test_all(&registries).await;
    let all_passed = results.iter().all(|result| result.ok);
    if command.json {
        print(&to_json(&results))?;
    } else {
        show(&to_text(&results))?;
    }
    Ok(if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Leaves in the configuration what is to be tested.
fn select(config: &mut Config, command: &Test) -> Result<(), ConfigError> {
    if let Some(url) = &command.url {
        let registry =
            RegistryConfig { name: "url".to_owned(), url: Some(url.as_str().into()), ..RegistryConfig::default() };
        if let Err(problems) = registry.target() {
            let problems: Vec<_> = problems.into_iter().map(|(_, problem)| problem).collect();
            return Err(ConfigError::of_key("--url", &problems.join("; ")));
        }
        config.registries = vec![registry];
        return Ok(());
    }
    let known: Vec<String> = config.registries.iter().map(|registry| registry.name.clone()).collect();
    if let Some(unknown) = command.names.iter().find(|name| !known.contains(name)) {
        let problem = format!("is not a configured registry; there are {}", known.join(", "));
        return Err(ConfigError::of_key(unknown, &problem));
    }
    if !command.names.is_empty() {
        config.registries.retain(|registry| command.names.contains(&registry.name));
    }
    Ok(())
}

/// Tests all registries at the same time; results are in configuration order.
pub(super) async fn test_all(registries: &[Arc<Registry>]) -> Vec<TestResult> {
    let mut tests = JoinSet::new();
    for (index, registry) in registries.iter().enumerate() {
        let registry = Arc::clone(registry);
        tests.spawn(async move {
            let check = registry.check().await;
            (index, TestResult::new(&registry, &check))
        });
    }
    let mut results = tests.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// One registry's test, as it is printed.
#[derive(Debug, Serialize)]
pub(super) struct TestResult {
    name: String,
    url: String,
    pub(super) ok: bool,
    stages: [StageView; 3],
}

impl TestResult {
    fn new(registry: &Registry, check: &Check) -> Self {
        let ok = check.failure().is_none();
        Self { name: registry.name().to_owned(), url: registry.url(), ok, stages: check.views() }
    }
}

fn to_json(results: &[TestResult]) -> String {
    let body = serde_json::json!({ "registries": results, "metadata": { "count": results.len() } });
    format!("{body:#}\n")
}

pub(super) fn to_text(results: &[TestResult]) -> String {
    let mut text = String::new();
    for result in results {
        let _ = writeln!(text, "{}  {}", styled(HEADER, &result.name), result.url);
        for stage in &result.stages {
            let (style, outcome) = if stage.ok == Some(true) { (GOOD, "ok") } else { (BAD, "failed") };
            let line = match stage.duration_ms {
                None => format!("  {:<9} not reached", stage.stage.as_str()),
                Some(duration) => {
                    // What the registry said may be in it.
                    let reason = clean(stage.reason.as_deref().unwrap_or_default());
                    let outcome = styled(style, format_args!("{outcome:<6}"));
                    format!("  {:<9} {outcome} {duration:>10.1} ms  {reason}", stage.stage.as_str())
                }
            };
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}
