//! The command line: one file per command. The only place that prints to standard output.

mod export;
mod fetch;
mod healthcheck;
mod serve;
mod test;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::AppError;
use crate::config::{self, ConfigError, Flags, Loaded, Origin};

/// One URL in front of many MCP registries.
#[derive(Debug, Parser)]
#[command(
    name = "mcp-registry-proxy",
    version,
    about = "One URL in front of many MCP registries: tests them, mirrors them, merges them, and answers the MCP Registry API from memory.",
    after_help = "Without --config, every command uses the configuration that is built in: the official registry alone.\n\
                  Exit codes: 0 success, 1 failure, 64 bad configuration, command line or input,\n\
                  69 nobody could be asked."
)]
pub struct Arguments {
    /// A configuration file (.toml, .yaml, .yml or .json); may be given several times, later ones count more
    #[arg(long, global = true, value_name = "FILE")]
    config: Vec<PathBuf>,

    /// What is logged: error, warn, info or debug, or tracing directives
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the proxy
    Serve(serve::Serve),
    /// Test Connection: ask registries and judge the answer in three stages
    Test(test::Test),
    /// Fetch all registries once, and write the merged catalog to files
    Export(export::Export),
    /// Check the servers in clients' configuration files against the registries, or against a running proxy
    Validate(validate::Validate),
    /// Ask the running proxy whether it lives (for containers without curl)
    Healthcheck,
}

/// Bad configuration or command line (`EX_USAGE` of sysexits).
const EXIT_USAGE: u8 = 64;
/// Nobody could be asked (`EX_UNAVAILABLE` of sysexits).
const EXIT_UNAVAILABLE: u8 = 69;

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors to clap; printing fails only where nobody listens.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let ended = dispatch(arguments);
    crate::telemetry::flush();
    match ended {
        Ok(code) => code,
        Err(failure) => {
            report(&failure.to_string());
            failure.exit_code()
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { config: files, log_level, command } = arguments;
    let mut flags = Flags { log_level, ..Flags::default() };
    match command {
        Command::Serve(command) => {
            flags.listen.clone_from(&command.listen);
            let loaded = load(&files, &flags)?;
            in_runtime(serve::run(Origin::new(files, flags), loaded))
        }
        Command::Test(command) => {
            let loaded = load(&files, &flags)?;
            in_runtime(test::run(loaded.config, command))
        }
        Command::Export(command) => {
            let loaded = load(&files, &flags)?;
            in_runtime(export::run(loaded.config, command))
        }
        Command::Validate(command) => {
            let loaded = load(&files, &flags)?;
            in_runtime(validate::run(loaded.config, command))
        }
        Command::Healthcheck => Ok(healthcheck::run(&config::read(&files, &flags)?)),
    }
}

fn load(files: &[PathBuf], flags: &Flags) -> Result<Loaded, ConfigError> {
    let loaded = config::load(files, flags)?;
    crate::telemetry::init(&loaded.config.log);
    Ok(loaded)
}

fn in_runtime(command: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Runtime)?;
    let result = runtime.block_on(command);
    // What still blocks (a slow name resolution) shall not keep the process.
    runtime.shutdown_background();
    result
}

/// Why a command failed before it had an exit code of its own.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    App(AppError),
    #[error("cannot start the runtime: {0}")]
    Runtime(std::io::Error),
    #[error("cannot write to standard output: {0}")]
    Output(#[from] std::io::Error),
    #[error(transparent)]
    Directory(#[from] export::Problem),
    #[error("{0}")]
    Unreadable(String),
    #[error("{0}")]
    Unavailable(String),
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Config(error) => Self::Config(error),
            error => Self::App(error),
        }
    }
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Unreadable(_) => ExitCode::from(EXIT_USAGE),
            Self::Unavailable(_) => ExitCode::from(EXIT_UNAVAILABLE),
            Self::App(_) | Self::Runtime(_) | Self::Output(_) | Self::Directory(_) => ExitCode::FAILURE,
        }
    }
}

#[expect(clippy::print_stderr, reason = "errors of a command belong on standard error, with or without logs")]
fn report(message: &str) {
    for line in message.lines() {
        eprintln!("error: {line}");
    }
}

#[expect(clippy::print_stderr, reason = "what a command leaves out belongs on standard error, with or without logs")]
fn warn(message: &str) {
    for line in message.lines() {
        eprintln!("warning: {line}");
    }
}
