//! `openapi` and `completions`: what other programs want to know of this one.

use std::process::ExitCode;

use clap::Args;
use clap_complete::Shell;

use super::{Failure, arguments, output};
use crate::serve;

#[derive(Debug, Args)]
pub(super) struct OpenApi {
    /// As JSON, as `GET /openapi.json` has it
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell that reads them
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn openapi(command: &OpenApi) -> Result<ExitCode, Failure> {
    if command.json {
        output::print(&serve::openapi_json())?;
    } else {
        output::print(serve::openapi_yaml())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn completions(command: &Completions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut arguments::command(), env!("CARGO_PKG_NAME"), &mut script);
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}
