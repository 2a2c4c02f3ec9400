//! The command line: one file per command. The only place that prints to standard output.

mod arguments;
mod check;
mod config;
mod describe;
mod edit;
mod entries;
mod export;
mod fetch;
mod healthcheck;
mod list;
mod output;
mod serve;
mod table;
mod test;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ColorChoice;

use crate::app::AppError;
use crate::config::edit::WriteError;
use crate::config::{ConfigError, Flags, Loaded, Origin};
use arguments::{Arguments, Command};
use output::{hint, report};

/// Bad configuration or command line (`EX_USAGE` of sysexits).
const EXIT_USAGE: u8 = 64;
/// Nobody could be asked (`EX_UNAVAILABLE` of sysexits).
const EXIT_UNAVAILABLE: u8 = 69;
/// What commands that end by themselves log: the rest they say in words of their own.
const QUIET: &str = "error";

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are errors to clap; printing fails only where nobody listens.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match arguments.color {
        ColorChoice::Always => anstream::ColorChoice::Always.write_global(),
        ColorChoice::Never => anstream::ColorChoice::Never.write_global(),
        ColorChoice::Auto => {}
    }
    let ended = dispatch(arguments);
    crate::telemetry::flush();
    match ended {
        Ok(code) => code,
        Err(failure) => {
            report(&failure.to_string());
            if let Some(advice) = failure.advice() {
                hint(advice);
            }
            failure.exit_code()
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let Arguments { config: files, log_level, command, .. } = arguments;
    let mut flags = Flags { log_level, ..Flags::default() };
    match command {
        Command::Serve(command) => {
            flags.listen.clone_from(&command.listen);
            let loaded = crate::config::load(&files, &flags)?;
            crate::telemetry::init(&loaded.config.log);
            in_runtime(serve::run(Origin::new(files, flags), loaded))
        }
        Command::Test(command) => in_runtime(test::run(load(&files, &flags)?.config, command)),
        Command::List(command) => in_runtime(list::run(load(&files, &flags)?.config, command)),
        Command::Export(command) => in_runtime(export::run(load(&files, &flags)?.config, command)),
        Command::Validate(command) => in_runtime(validate::run(load(&files, &flags)?.config, command)),
        Command::Add(command) => in_runtime(async { edit::add(&files, &flags, &command).await }),
        Command::Remove(command) => edit::remove(&files, &flags, &command),
        Command::Check(command) => check::run(&files, &flags, &command),
        Command::Config(command) => config::run(&files, &flags, &command),
        Command::OpenApi(command) => describe::openapi(&command),
        Command::Completions(command) => describe::completions(&command),
        Command::Healthcheck(command) => healthcheck::run(&crate::config::read(&files, &flags)?, &command),
    }
}

/// The configuration of a command that ends by itself.
fn load(files: &[PathBuf], flags: &Flags) -> Result<Loaded, ConfigError> {
    let loaded = crate::config::load(files, flags)?;
    start_logging(&loaded);
    Ok(loaded)
}

/// Has a command that ends by itself log what it was asked to. What a file wants of `serve` is none of its business.
fn start_logging(loaded: &Loaded) {
    let mut log = loaded.config.log.clone();
    if !loaded.is_level_of_run {
        QUIET.clone_into(&mut log.level);
    }
    crate::telemetry::init(&log);
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
    #[error(transparent)]
    Write(#[from] WriteError),
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
            Self::App(_) | Self::Runtime(_) | Self::Output(_) | Self::Directory(_) | Self::Write(_) => {
                ExitCode::FAILURE
            }
        }
    }

    /// What to do about it, where the message does not say so.
    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::App(AppError::Bind { key: "server.listen", .. }) => {
                Some("`--listen 127.0.0.1:0` takes a port that is free, and the log says which")
            }
            Self::App(AppError::Bind { .. }) => Some("`admin.listen = \"off\"` does without"),
            Self::Unavailable(_) => Some("`mcp-registry-proxy test` says what is wrong with each registry"),
            _ => None,
        }
    }
}
