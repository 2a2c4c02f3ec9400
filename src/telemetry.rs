//! Logs. A line says what happened in words and has the figures as fields; it never holds credentials
//! or bodies. Logs go to standard error, so that standard output belongs to commands.

use std::io::IsTerminal as _;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

/// `[log]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How lines look.
    pub format: Format,
    /// What is logged: a level, or directives such as `info,mcp_registry_proxy=debug`.
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self { format: Format::Text, level: "info".to_owned() }
    }
}

impl Config {
    /// The keys whose values make no sense, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        // tracing takes a lone word that is no level for the name of a module, and logs nothing else.
        let is_known = |part: &str| part.contains('=') || part.trim().parse::<LevelFilter>().is_ok();
        if self.level.split(',').all(is_known) && self.filter().is_ok() {
            return Vec::new();
        }
        let found = &self.level;
        vec![("level", format!("{found:?} is not a log level; write error, warn, info or debug"))]
    }

    /// A plain level is ours; what libraries have to say below a warning is theirs.
    fn filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        let directives = if self.level.contains(['=', ',']) {
            self.level.clone()
        } else {
            format!("warn,mcp_registry_proxy={}", self.level)
        };
        EnvFilter::builder().parse(directives)
    }
}

/// Starts logging. Later calls in one process change nothing.
pub fn init(config: &Config) {
    // The level has been checked with the rest of the configuration.
    let filter = config.filter().unwrap_or_default();
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    let _ = match config.format {
        Format::Json => lines.json().flatten_event(true).try_init(),
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
}
