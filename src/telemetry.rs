//! Logs, and where traces go. A line says what happened in words and has the figures as fields; it never holds credentials
//! or bodies. Logs go to standard error, so that standard output belongs to commands; nobody who logs waits for who
//! reads there.

mod output;
mod traces;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::SystemTime;

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt;

use output::Output;
pub use traces::{Traces, trace_exports};

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

    /// A plain level is ours; what libraries have to say below a warning is theirs. Those that speak HTTP
    /// and MCP warn of what peers do, once for every time, so that any client could fill the log.
    fn filter(&self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        let directives = if self.level.contains(['=', ',']) {
            self.level.clone()
        } else {
            format!("warn,h2=error,hyper=error,hyper_util=error,rmcp=off,mcp_registry_proxy={}", self.level)
        };
        EnvFilter::builder().parse(directives)
    }
}

/// Changes what is logged; says whether it could.
type SetFilter = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// The filter of the one logger that a process has.
static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

/// When the process began, by its own clock: the system's word for it is in `/proc/stat`, which a service may not see.
static STARTED_AT: OnceLock<SystemTime> = OnceLock::new();

/// When the process began, but for reading its configuration: when this or [`init`] was called first.
#[must_use]
pub fn started_at() -> SystemTime {
    *STARTED_AT.get_or_init(SystemTime::now)
}

/// Changes what is logged, where logging has been started. How lines look stays as it is.
pub fn set_level(config: &Config) {
    let Some(set_filter) = SET_FILTER.get() else { return };
    if !config.filter().is_ok_and(set_filter) {
        tracing::error!(level = config.level, "the log level cannot be changed; restart the proxy for that");
    }
}

/// Starts logging. Later calls in one process change nothing.
pub fn init(config: &Config) {
    STARTED_AT.get_or_init(SystemTime::now);
    // The level has been checked with the rest of the configuration.
    let filter = config.filter().unwrap_or_default();
    // A line that nobody reads any more is lost; saying so on the same channel would panic.
    let output = Output::standard_error();
    let lines = fmt().with_writer(move || output.clone());
    let lines = lines.with_env_filter(filter).with_target(false).log_internal_errors(false);
    let started = match config.format {
        Format::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let filter = lines.reload_handle();
            lines.try_init().map(|()| -> SetFilter { Box::new(move |new| filter.reload(new).is_ok()) })
        }
        Format::Text => {
            let lines = lines.with_ansi(is_coloured()).with_filter_reloading();
            let filter = lines.reload_handle();
            lines.try_init().map(|()| -> SetFilter { Box::new(move |new| filter.reload(new).is_ok()) })
        }
    };
    if let Ok(set_filter) = started {
        // Nobody else has started logging, or `try_init` would have failed.
        let _ = SET_FILTER.set(set_filter);
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// Whether standard error shows colours, as the terminal, `NO_COLOR` and `--color` have it.
fn is_coloured() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// Waits until what was logged last has been written, a second at most: for the end of the process.
pub fn flush() {
    output::flush();
}

/// How many log lines were lost since the start, because nobody read them.
#[must_use]
pub fn lost_lines() -> u64 {
    output::lost()
}

thread_local! {
    static IS_LOGGING_A_PANIC: Cell<bool> = const { Cell::new(false) };
}

/// Logs a panic where it happens, in the format of all lines: whether the task that it ends is looked at, and when,
/// is another matter.
fn log_panic(panic: &PanicHookInfo<'_>) {
    // A panic of logging itself must not be logged: a second one inside the hook would end the process.
    if IS_LOGGING_A_PANIC.replace(true) {
        return;
    }
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(panic = message, location, backtrace, "panicked");
    IS_LOGGING_A_PANIC.set(false);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_level_is_ours_and_keeps_libraries_quiet_about_peers() {
        let filter = |level: &str| Config { level: level.to_owned(), ..Config::default() }.filter().expect("a filter");
        let plain = filter("debug").to_string();
        for directive in ["mcp_registry_proxy=debug", "h2=error", "hyper=error", "warn"] {
            assert!(plain.split(',').any(|part| part == directive), "{plain}");
        }
        assert_eq!(filter("info,h2=trace").to_string().split(',').count(), 2);
    }
}
